// A provider for Terraform that stands in for hashicorp/aws, hashicorp/kubernetes and
// hashicorp/time: it has their resources that matter here, knows and does not know the same
// attributes when it plans, and calls nothing. Its file's name says which provider it is.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func main() {
	name := strings.TrimPrefix(filepath.Base(os.Args[0]), "terraform-provider-")
	if err := tf5server.Serve("registry.terraform.io/hashicorp/"+name, func() tfprotov5.ProviderServer { return &provider{name: name} }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The account and region that the stand-in is in.
const (
	account = "111122223333"
	region  = "eu-west-1"
)

// provider answers Terraform. The calls that it does not have are never made.
type provider struct {
	tfprotov5.ProviderServer
	name string
}

func (p *provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	response := &tfprotov5.GetMetadataResponse{ServerCapabilities: capabilities}
	for kind := range kinds(resources, p.name) {
		response.Resources = append(response.Resources, tfprotov5.ResourceMetadata{TypeName: kind})
	}
	for kind := range kinds(dataSources, p.name) {
		response.DataSources = append(response.DataSources, tfprotov5.DataSourceMetadata{TypeName: kind})
	}
	return response, nil
}

var capabilities = &tfprotov5.ServerCapabilities{GetProviderSchemaOptional: true}

func (p *provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return &tfprotov5.GetProviderSchemaResponse{
		ServerCapabilities: capabilities,
		Provider:           &tfprotov5.Schema{Block: providerBlock},
		ResourceSchemas:    kinds(resources, p.name), DataSourceSchemas: kinds(dataSources, p.name),
	}, nil
}

func (p *provider) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

func (p *provider) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p *provider) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

func (p *provider) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (p *provider) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

func (p *provider) UpgradeResourceState(_ context.Context, r *tfprotov5.UpgradeResourceStateRequest) (*tfprotov5.UpgradeResourceStateResponse, error) {
	kind := resources[r.TypeName].ValueType()
	value, err := r.RawState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	state, err := tfprotov5.NewDynamicValue(kind, value)
	return &tfprotov5.UpgradeResourceStateResponse{UpgradedState: &state}, err
}

func (p *provider) ReadResource(_ context.Context, r *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	return &tfprotov5.ReadResourceResponse{NewState: r.CurrentState}, nil
}

// PlanResourceChange leaves what AWS decides unknown.
func (p *provider) PlanResourceChange(_ context.Context, r *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	schema := resources[r.TypeName]
	prior, config, planned, err := three(schema, r.PriorState, r.Config, r.ProposedNewState)
	if err != nil || planned == nil { // it is deleted
		return &tfprotov5.PlanResourceChangeResponse{PlannedState: r.ProposedNewState}, err
	}
	response := &tfprotov5.PlanResourceChangeResponse{UnsafeToUseLegacyTypeSystem: true}
	for _, name := range replacedBy[r.TypeName] {
		if prior != nil && !prior[name].Equal(planned[name]) {
			response.RequiresReplace = append(response.RequiresReplace, tftypes.NewAttributePath().WithAttributeName(name))
		}
	}
	for name, value := range planned {
		if computed(schema, name) && !isSet(config[name]) && prior == nil {
			planned[name] = tftypes.NewValue(value.Type(), tftypes.UnknownValue)
		}
	}
	response.PlannedState, err = dynamic(schema, planned)
	return response, err
}

// ApplyResourceChange decides what AWS would.
func (p *provider) ApplyResourceChange(_ context.Context, r *tfprotov5.ApplyResourceChangeRequest) (*tfprotov5.ApplyResourceChangeResponse, error) {
	schema := resources[r.TypeName]
	_, _, planned, err := three(schema, r.PriorState, r.Config, r.PlannedState)
	if err != nil || planned == nil {
		return &tfprotov5.ApplyResourceChangeResponse{NewState: r.PlannedState}, err
	}
	decide(r.TypeName, planned)
	state, err := dynamic(schema, planned)
	return &tfprotov5.ApplyResourceChangeResponse{NewState: state, UnsafeToUseLegacyTypeSystem: true}, err
}

func (p *provider) ReadDataSource(_ context.Context, r *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	schema := dataSources[r.TypeName]
	config, err := object(schema, r.Config)
	if err != nil {
		return nil, err
	}
	decide("data."+r.TypeName, config)
	state, err := dynamic(schema, config)
	return &tfprotov5.ReadDataSourceResponse{State: state}, err
}

// three decodes three values of a resource; nil for none.
func three(s *tfprotov5.Schema, a, b, c *tfprotov5.DynamicValue) (x, y, z map[string]tftypes.Value, err error) {
	if x, err = object(s, a); err == nil {
		if y, err = object(s, b); err == nil {
			z, err = object(s, c)
		}
	}
	return x, y, z, err
}

func object(s *tfprotov5.Schema, v *tfprotov5.DynamicValue) (map[string]tftypes.Value, error) {
	value, err := v.Unmarshal(s.ValueType())
	if err != nil || value.IsNull() {
		return nil, err
	}
	var attributes map[string]tftypes.Value
	return attributes, value.As(&attributes)
}

func dynamic(s *tfprotov5.Schema, attributes map[string]tftypes.Value) (*tfprotov5.DynamicValue, error) {
	v, err := tfprotov5.NewDynamicValue(s.ValueType(), tftypes.NewValue(s.ValueType(), attributes))
	return &v, err
}

// isSet reports whether a configuration sets an attribute, or has a block.
func isSet(v tftypes.Value) bool {
	if v.IsNull() || !v.IsKnown() {
		return !v.IsKnown()
	}
	var list []tftypes.Value
	return v.As(&list) != nil || len(list) > 0
}
