package aws

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// VPCEndpoints returns the available endpoints of a VPC through which the calls of nodes
// go: gateway endpoints, whose route tables are in tables, and interface endpoints whose
// private DNS names replace those of the service in the VPC.
func (c *Client) VPCEndpoints(ctx context.Context, vpc string) (endpoints map[string]snapshot.VPCEndpoint, tables map[string][]string, err error) {
	in := &ec2.DescribeVpcEndpointsInput{Filters: inVPC(vpc), MaxResults: aws.Int32(1000)}
	endpoints, tables = map[string]snapshot.VPCEndpoint{}, map[string][]string{}
	err = pages(ctx, c, "ec2:DescribeVpcEndpoints", ec2.NewDescribeVpcEndpointsPaginator(c.ec2, in), func(page *ec2.DescribeVpcEndpointsOutput) (string, bool) {
		for i := range page.VpcEndpoints {
			e := &page.VpcEndpoints[i]
			id, service := aws.ToString(e.VpcEndpointId), endpointService(aws.ToString(e.ServiceName))
			if !strings.EqualFold(string(e.State), string(ec2types.StateAvailable)) || !slices.Contains(snapshot.EndpointServices, service) {
				continue
			}
			switch {
			case e.VpcEndpointType == ec2types.VpcEndpointTypeGateway:
				tables[id] = e.RouteTableIds
			case e.VpcEndpointType != ec2types.VpcEndpointTypeInterface || !resolves(e):
				continue
			}
			endpoints[id] = snapshot.VPCEndpoint{Service: service, Policy: document(aws.ToString(e.PolicyDocument))}
		}
		return byToken(page.NextToken)
	})
	return endpoints, tables, err
}

// resolves reports whether the service's name resolves to the endpoint in the VPC. That of
// S3 may do so for calls from on-premises alone.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
func resolves(e *ec2types.VpcEndpoint) bool {
	onlyInbound := e.DnsOptions != nil && aws.ToBool(e.DnsOptions.PrivateDnsOnlyForInboundResolverEndpoint)
	return aws.ToBool(e.PrivateDnsEnabled) && !onlyInbound
}

// endpointService returns the end of an endpoint service's name, such as ecr.dkr of
// com.amazonaws.eu-west-1.ecr.dkr and of cn.com.amazonaws.cn-north-1.ecr.dkr.
func endpointService(name string) string {
	_, rest, _ := strings.Cut(name, "com.amazonaws.")
	_, service, _ := strings.Cut(rest, ".")
	return service
}

// RouteTables returns the route tables of a VPC.
func (c *Client) RouteTables(ctx context.Context, vpc string) (map[string]collect.RouteTable, error) {
	in := &ec2.DescribeRouteTablesInput{Filters: inVPC(vpc), MaxResults: aws.Int32(100)}
	tables := map[string]collect.RouteTable{}
	err := pages(ctx, c, "ec2:DescribeRouteTables", ec2.NewDescribeRouteTablesPaginator(c.ec2, in), func(page *ec2.DescribeRouteTablesOutput) (string, bool) {
		for i := range page.RouteTables {
			var table collect.RouteTable
			for _, a := range page.RouteTables[i].Associations {
				table.Main = table.Main || aws.ToBool(a.Main)
				if subnet := aws.ToString(a.SubnetId); subnet != "" {
					table.Subnets = append(table.Subnets, subnet)
				}
			}
			tables[aws.ToString(page.RouteTables[i].RouteTableId)] = table
		}
		return byToken(page.NextToken)
	})
	return tables, err
}

func inVPC(vpc string) []ec2types.Filter {
	return []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{vpc}}}
}
