package terraform

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac/manifests"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// clusterOf is the cluster whose objects a resource of a Kubernetes provider is among: the
// one that the provider's configuration refers to, or the only one of the code.
func (d *reader) clusterOf(r *resource) iac.Value {
	s := search{want: clusters, found: map[string]bool{}, seen: map[string]bool{}}
	if d.doc.Configuration != nil {
		provider := d.doc.Configuration.Providers[r.config.ProviderKey]
		for _, e := range provider.Expressions {
			d.follow(&s, scope{}, e.all(), 0)
		}
	}
	var all []string
	for _, c := range d.resources {
		if c.kind == "aws_eks_cluster" {
			all = append(all, c.text)
		}
	}
	for address := range s.found {
		if len(s.found) == 1 {
			return iac.Value{Resource: address}
		}
	}
	if len(all) == 1 {
		return iac.Value{Resource: all[0]}
	}
	if len(all) == 0 {
		return iac.Value{}
	}
	return iac.Unknown("the cluster of " + r.text + " is known only after apply")
}

// isObject reports whether metadata names an object of kube-system; maybe is set where that
// is not known.
func (r *resource) isObject(name string) (is, maybe bool) {
	is, maybe = true, false
	for attribute, want := range map[string]string{"name": name, "namespace": "kube-system"} {
		value, unknown, _ := r.at("metadata", 0, attribute)
		if unknown {
			maybe = true
		} else if scalar(value) != want {
			return false, false
		}
	}
	return is && !maybe, maybe
}

func (d *reader) configMap(r *resource) {
	is, maybe := r.isObject("aws-auth")
	if r.data || !is && !maybe {
		return
	}
	a := iac.AWSAuth{Declared: d.declared(r), Cluster: d.clusterOf(r), MapRoles: d.value(r, nil, "data", "mapRoles")}
	if maybe {
		a.MapRoles = iac.Unknown("the name of " + r.text + " is known only after apply")
	}
	d.code.AWSAuths = append(d.code.AWSAuths, a)
}

// The annotation by which a service account gets an IRSA role, and aws-node's own.
const (
	roleAnnotation = "eks.amazonaws.com/role-arn"
	awsNode        = "aws-node"
)

func (d *reader) annotations(r *resource) {
	if is, maybe := r.isObject(awsNode); !is && !maybe || r.textAt("kind") != "ServiceAccount" {
		return
	}
	d.code.ServiceAccounts = append(d.code.ServiceAccounts, iac.ServiceAccount{
		Declared: d.declared(r), Cluster: d.clusterOf(r), Role: d.value(r, roles, "annotations", roleAnnotation),
	})
}

func (d *reader) serviceAccount(r *resource) {
	if is, maybe := r.isObject(awsNode); r.data || !is && !maybe {
		return
	}
	d.code.ServiceAccounts = append(d.code.ServiceAccounts, iac.ServiceAccount{
		Declared: d.declared(r), Cluster: d.clusterOf(r), Role: d.value(r, roles, "metadata", 0, "annotations", roleAnnotation),
	})
}

// helm notes a chart that installs aws-node with a service account of its own, whose values
// are not read.
func (d *reader) helm(r *resource) {
	chart := r.textAt("chart")
	if chart[strings.LastIndexByte(chart, '/')+1:] != "aws-vpc-cni" {
		return
	}
	why := iac.Value{Unknown: r.text + " installs aws-node, and the values of Helm charts are not read"}
	for _, fact := range []snapshot.Fact{snapshot.FactDaemonSet, snapshot.FactServiceAccount} {
		d.code.Unsure = append(d.code.Unsure, iac.Unsure{Cluster: d.clusterOf(r), Fact: fact, Why: why})
	}
}

// manifest reads a node class or aws-auth from a resource that has any object. The text may
// be marked as sensitive, as kubectl's provider does with all: only the fields above are read.
func (d *reader) manifest(r *resource) {
	attribute := "manifest"
	if r.kind == "kubectl_manifest" {
		attribute = "yaml_body"
	}
	value, unknown, _ := r.at(attribute)
	if unknown {
		d.unknownManifest(r, attribute)
		return
	}
	if text, ok := value.(string); ok {
		objects, err := manifests.Parse([]byte(text))
		if err != nil {
			return // nothing that Kubernetes takes
		}
		for _, o := range objects {
			o.Add(d.code, d.declared(r), d.clusterOf(r))
		}
		return
	}
	classes, auths := len(d.code.NodeClasses), len(d.code.AWSAuths)
	o := objectOf(value)
	o.Add(d.code, d.declared(r), d.clusterOf(r))
	for i := range d.code.NodeClasses[classes:] {
		class := &d.code.NodeClasses[classes+i]
		class.Role, class.Profile = d.manifestValue(r, roles, "role"), d.manifestValue(r, profiles, "instanceProfile")
		if _, unknown, _ := r.at("manifest", "spec", "metadataOptions"); unknown || anyMarked(child(child(child(r.unknown, "manifest"), "spec"), "metadataOptions")) {
			class.Metadata = &iac.Metadata{Tokens: iac.Unknown(r.text + ".manifest.spec.metadataOptions is known only after apply")}
		}
	}
	for i := range d.code.AWSAuths[auths:] {
		d.code.AWSAuths[auths+i].MapRoles = d.value(r, nil, "manifest", "data", "mapRoles")
	}
}

// manifestValue reads a field of the spec in a manifest, which may refer to a resource.
func (d *reader) manifestValue(r *resource, want []string, field string) iac.Value {
	value, unknown, _ := r.at("manifest", "spec", field)
	if !unknown {
		return iac.Text(scalar(value))
	}
	s := search{want: want, found: map[string]bool{}, seen: map[string]bool{}}
	d.follow(&s, scope{r.modules, r.name.key, r.config.ForEach}, r.config.Expressions["manifest"].all(), 0)
	for address := range s.found {
		if len(s.found) == 1 && len(s.dead) == 0 {
			return iac.Value{Resource: address}
		}
	}
	return iac.Unknown(r.text + ".manifest.spec." + field + " is known only after apply")
}

// unknownManifest notes an object that is not known at all. It may be a node class where it
// has to do with a role or an instance profile.
func (d *reader) unknownManifest(r *resource, attribute string) {
	s := d.search(r, slices.Concat(roles, profiles), []any{attribute})
	if len(s.found) > 0 || len(s.dead) > 0 {
		d.code.Unsure = append(d.code.Unsure, iac.Unsure{
			Cluster: d.clusterOf(r), Fact: snapshot.FactNodeClasses, Subject: r.text, Why: iac.Unknown(r.text + "." + attribute + " is known only after apply"),
		})
	}
}

// objectOf reads an object that is decoded already. What of it may be unknown is read
// elsewhere.
func objectOf(value any) manifests.Object {
	var o manifests.Object
	text := func(path ...any) string {
		v := value
		for _, p := range path {
			v = child(v, p)
		}
		return scalar(v)
	}
	o.APIVersion, o.Kind = text("apiVersion"), text("kind")
	o.Metadata.Name, o.Metadata.Namespace = text("metadata", "name"), text("metadata", "namespace")
	o.Metadata.Annotations = map[string]string{roleAnnotation: text("metadata", "annotations", roleAnnotation)}
	o.Spec.AMIFamily = text("spec", "amiFamily")
	o.Spec.MetadataOptions.HTTPTokens, o.Spec.MetadataOptions.HTTPEndpoint = text("spec", "metadataOptions", "httpTokens"), text("spec", "metadataOptions", "httpEndpoint")
	if hops, err := strconv.ParseInt(text("spec", "metadataOptions", "httpPutResponseHopLimit"), 10, 32); err == nil {
		o.Spec.MetadataOptions.HTTPPutResponseHopLimit = int32(hops)
	}
	if alias := text("spec", "amiSelectorTerms", 0, "alias"); o.Spec.AMIFamily == "" {
		o.Spec.AMIFamily, _, _ = strings.Cut(alias, "@")
	}
	return o
}
