package collect_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// What is around the roles: VPC endpoints, the organization, repositories of other
// accounts.

const (
	ownRepository   = "arn:aws:ecr:eu-west-1:111122223333:repository/app"
	otherRepository = "arn:aws:ecr:eu-west-1:444455556666:repository/team/web"
)

// targeted names a call of the JSON protocols, which a header names.
func (f *fakeAWS) targeted(r *http.Request) (operation, object string, ok bool) {
	target, name, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !ok {
		return "", "", false
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	service := "organizations"
	if strings.HasPrefix(target, "AmazonEC2ContainerRegistry") {
		service = "ecr"
	}
	return service + ":" + name, string(body), true
}

func (f *fakeAWS) serveTargeted(w http.ResponseWriter, r *http.Request, operation string) {
	var in struct{ RegistryID, RepositoryName, ChildID, TargetID, Filter, PolicyID, NextToken string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch operation {
	case "ecr:GetRepositoryPolicy":
		writeJSON(w, map[string]any{"registryId": in.RegistryID, "repositoryName": in.RepositoryName, "policyText": rawDocument})
	case "ecr:GetRegistryPolicy":
		writeJSON(w, map[string]any{"registryId": account, "policyText": rawDocument})
	case "ecr:DescribePullThroughCacheRules":
		upstreams := map[string]string{"ROOT": "registry-1.docker.io", "ecr-public": "public.ecr.aws"}
		page, next := pageOf(keysOf(upstreams), f.pageSize, in.NextToken)
		list := []map[string]any{}
		for _, prefix := range page {
			list = append(list, map[string]any{"ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": upstreams[prefix]})
		}
		body := map[string]any{"pullThroughCacheRules": list}
		if next != "" {
			body["nextToken"] = next
		}
		writeJSON(w, body)
	case "organizations:DescribeOrganization":
		writeJSON(w, map[string]any{"Organization": map[string]any{"Id": "o-1", "MasterAccountId": "999999999999"}})
	case "organizations:ListParents":
		writeJSON(w, map[string]any{"Parents": []map[string]any{{"Id": map[string]string{account: "ou-1", "ou-1": "r-1"}[in.ChildID], "Type": "ROOT"}}})
	case "organizations:ListPoliciesForTarget":
		ids := map[string][]string{
			account + "SERVICE_CONTROL_POLICY": {"p-full"}, "ou-1SERVICE_CONTROL_POLICY": {"p-own", "p-full"}, "r-1SERVICE_CONTROL_POLICY": {"p-full"},
			"r-1RESOURCE_CONTROL_POLICY": {"p-rcp"},
		}[in.TargetID+in.Filter]
		page, next := pageOf(ids, f.pageSize, in.NextToken)
		list := []map[string]any{}
		for _, id := range page {
			list = append(list, map[string]any{"Id": id})
		}
		body := map[string]any{"Policies": list}
		if next != "" {
			body["NextToken"] = next
		}
		writeJSON(w, body)
	case "organizations:DescribePolicy":
		writeJSON(w, map[string]any{"Policy": map[string]any{"Content": rawDocument, "PolicySummary": map[string]any{"Name": "name of " + in.PolicyID}}})
	default:
		http.NotFound(w, r)
	}
}

// serveVPC answers the calls about a VPC.
func (f *fakeAWS) serveVPC(w http.ResponseWriter, r *http.Request) bool {
	action := r.Form.Get("Action")
	if action != "DescribeVpcEndpoints" && action != "DescribeRouteTables" {
		return false
	}
	if r.Form.Get("Filter.1.Name") != "vpc-id" || r.Form.Get("Filter.1.Value.1") != "vpc-1" {
		http.NotFound(w, r)
		return true
	}
	endpoint := func(id, kind, service, state string, more ...string) string {
		return "<item>" + element("vpcEndpointId", id) + element("vpcEndpointType", kind) + element("serviceName", service) + element("state", state) +
			element("policyDocument", rawDocument) + strings.Join(more, "") + "</item>"
	}
	private := element("privateDnsEnabled", "true")
	items := []string{
		endpoint("vpce-api", "Interface", "com.amazonaws.eu-west-1.ecr.api", "available", private),
		endpoint("vpce-cn", "Interface", "cn.com.amazonaws.cn-north-1.sts", "available", private),
		endpoint("vpce-s3", "Gateway", "com.amazonaws.eu-west-1.s3", "available", "<routeTableIdSet>"+element("item", "rtb-1")+"</routeTableIdSet>"),
		// The names of these do not resolve to them, or nodes do not call them.
		endpoint("vpce-s3i", "Interface", "com.amazonaws.eu-west-1.s3", "available", private, "<dnsOptions>"+element("privateDnsOnlyForInboundResolverEndpoint", "true")+"</dnsOptions>"),
		endpoint("vpce-ec2", "Interface", "com.amazonaws.eu-west-1.ec2", "available", element("privateDnsEnabled", "false")),
		endpoint("vpce-new", "Interface", "com.amazonaws.eu-west-1.eks", "pending", private),
		endpoint("vpce-sqs", "Interface", "com.amazonaws.eu-west-1.sqs", "available", private),
		endpoint("vpce-lb", "GatewayLoadBalancer", "com.amazonaws.vpce.eu-west-1.vpce-svc-1", "available"),
	}
	set := "vpcEndpointSet"
	if action == "DescribeRouteTables" {
		table := func(id string, associations ...string) string {
			return "<item>" + element("routeTableId", id) + "<associationSet>" + strings.Join(associations, "") + "</associationSet></item>"
		}
		set = "routeTableSet"
		items = []string{
			table("rtb-1", "<item>"+element("main", "true")+"</item>", "<item>"+element("main", "false")+element("subnetId", "subnet-b")+"</item>"),
			table("rtb-2", "<item>"+element("main", "false")+element("subnetId", "subnet-c")+"</item>"),
			table("rtb-3", "<item>"+element("main", "false")+element("subnetId", "subnet-a")+"</item>"),
		}
	}
	page, next := pageOf(items, f.pageSize, r.Form.Get("NextToken"))
	more := ""
	if next != "" {
		more = element("nextToken", next)
	}
	writeXML(w, fmt.Sprintf("<%[1]sResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><%[2]s>%%s</%[2]s>%%s</%[1]sResponse>", action, set), strings.Join(page, ""), more)
	return true
}
