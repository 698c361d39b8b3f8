package terraform

import (
	"cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// places are the places of the configured providers, by their keys.
type places map[string]iac.Place

// takePlaces reads where in AWS the providers create resources: from the data sources that
// say it, from the providers' configuration, and from ARNs of what exists. What the user
// gave comes first.
func (d *reader) takePlaces(given iac.Place) {
	d.places = places{}
	for _, r := range d.resources {
		p := d.places[r.config.ProviderKey]
		switch {
		case r.kind == "aws_caller_identity" && r.data:
			p.Account = cmp.Or(p.Account, r.textAt("account_id"))
		case r.kind == "aws_region" && r.data:
			p.Region = cmp.Or(p.Region, r.textAt("region"), r.textAt("name"), r.textAt("id"))
		case r.kind == "aws_partition" && r.data:
			p.Partition = cmp.Or(p.Partition, r.textAt("partition"))
		default:
			continue
		}
		d.places[r.config.ProviderKey] = p
	}
	if d.doc.Configuration != nil {
		for key, provider := range d.doc.Configuration.Providers {
			p := d.places[key]
			p.Region = cmp.Or(p.Region, d.known(provider.Expressions["region"]))
			p.Account = cmp.Or(p.Account, d.known(provider.Expressions["allowed_account_ids"]))
			for _, block := range provider.Expressions["assume_role"].Blocks {
				a, _ := snapshot.ParseARN(d.known(block["role_arn"]))
				p.Account = cmp.Or(p.Account, a.Account)
			}
			d.places[key] = p
		}
	}
	for _, r := range d.resources {
		if a, ok := snapshot.ParseARN(r.textAt("arn")); ok && a.Account != "aws" {
			p := d.places[r.config.ProviderKey]
			p.Account, p.Partition, p.Region = cmp.Or(p.Account, a.Account), cmp.Or(p.Partition, a.Partition), cmp.Or(p.Region, a.Region)
			d.places[r.config.ProviderKey] = p
		}
	}
	all := given
	for _, key := range []string{"aws", ""} {
		all = complete(all, d.places[key])
	}
	for _, r := range d.resources {
		all = complete(all, d.places[r.config.ProviderKey])
	}
	if all.Partition == "" && all.Region != "" {
		all.Partition = locate.PartitionOf(all.Region)
	}
	d.code.Place = all
}

// complete fills in the parts of a place that another one has.
func complete(p, other iac.Place) iac.Place {
	return iac.Place{Partition: cmp.Or(p.Partition, other.Partition), Region: cmp.Or(p.Region, other.Region), Account: cmp.Or(p.Account, other.Account)}
}

// known is the constant of an expression, or the value of the root variable that it is.
func (d *reader) known(e expression) string {
	if e.Constant != "" {
		return string(e.Constant)
	}
	for _, reference := range e.References {
		if list := steps(reference); len(list) == 2 && list[0].name == "var" {
			return string(d.doc.Variables[list[1].name].Value)
		}
	}
	return ""
}

// placeOf is the place of a resource, as far as the text says it.
func (d *reader) placeOf(r *resource) iac.Place {
	p := d.places[r.config.ProviderKey]
	if region := r.textAt("region"); region != "" && !r.data {
		p.Region = region // of version 6 of the provider
	}
	if p.Partition == "" && p.Region != "" {
		p.Partition = locate.PartitionOf(p.Region)
	}
	return p
}
