package collect

import (
	"context"
	"slices"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// startEndpoints reads the VPC endpoints of the cluster's VPC; without a VPC there are
// none. They are optional.
func (c *collector) startEndpoints(vpc string) {
	if vpc == "" {
		return
	}
	c.start("VPC endpoints of", vpc, func(ctx context.Context) error { return c.readEndpoints(ctx, vpc) })
}

// readEndpoints keeps the endpoints of a VPC as a whole or not at all: without one of
// them, what passes the others says little.
func (c *collector) readEndpoints(ctx context.Context, vpc string) error {
	endpoints, err := c.answers.endpoints.Get(ctx, vpc, func(ctx context.Context) (map[string]snapshot.VPCEndpoint, error) {
		endpoints, tables, err := c.aws.VPCEndpoints(ctx, vpc)
		if err == nil && len(tables) > 0 {
			err = c.followRoutes(ctx, vpc, endpoints, tables)
		}
		return endpoints, err
	})
	if err != nil {
		return c.missing(snapshot.FactVPCEndpoints, "", err)
	}
	c.write(func(s *snapshot.Snapshot) {
		for id, endpoint := range endpoints {
			put(&s.VPCEndpoints, id, endpoint)
		}
	})
	return nil
}

// followRoutes finds out which subnets' traffic goes through gateway endpoints.
func (c *collector) followRoutes(ctx context.Context, vpc string, endpoints map[string]snapshot.VPCEndpoint, tables map[string][]string) error {
	all, err := c.aws.RouteTables(ctx, vpc)
	if err != nil {
		return err
	}
	for id, routed := range tables {
		routes := &snapshot.EndpointRoutes{}
		for _, table := range text.SortedKeys(all) {
			switch has := slices.Contains(routed, table); {
			case has:
				routes.Main = routes.Main || all[table].Main
				routes.Subnets = append(routes.Subnets, all[table].Subnets...)
			default:
				routes.Others = append(routes.Others, all[table].Subnets...)
			}
		}
		slices.Sort(routes.Subnets)
		slices.Sort(routes.Others)
		endpoint := endpoints[id]
		endpoint.Routes = routes
		endpoints[id] = endpoint
	}
	return nil
}
