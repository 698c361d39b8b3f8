package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
)

// required are the members that the answer to each operation in use must have: the
// path of a text that is not empty, or of a list with [] after it, which may be empty.
// The SDK takes an answer without them for an empty one. The last group are the calls
// of the SDK's own credential providers.
// Sources: the output shapes in the API references of EKS, IAM, EC2, ECR, Auto Scaling,
// AWS Organizations, STS, IAM Identity Center and AWS Sign-In, with the member names of the wire format.
var required = map[string][]string{
	"eks:ListClusters":                   {"clusters[]"},
	"eks:DescribeCluster":                {"cluster.arn"},
	"eks:ListNodegroups":                 {"nodegroups[]"},
	"eks:DescribeNodegroup":              {"nodegroup.nodeRole"},
	"eks:ListFargateProfiles":            {"fargateProfileNames[]"},
	"eks:DescribeFargateProfile":         {"fargateProfile.podExecutionRoleArn"},
	"eks:DescribeAddon":                  {"addon.status"},
	"eks:ListPodIdentityAssociations":    {"associations[]"},
	"eks:DescribePodIdentityAssociation": {"association.roleArn"},
	"eks:ListAccessEntries":              {"accessEntries[]"},
	"eks:ListAssociatedAccessPolicies":   {"associatedAccessPolicies[]"},
	"eks:DescribeAccessEntry":            {"accessEntry.type"},

	"eks:CreateAccessEntry":            {"accessEntry.principalArn"},
	"eks:DeleteAccessEntry":            nil,
	"eks:AssociateAccessPolicy":        {"associatedAccessPolicy.policyArn"},
	"eks:DisassociateAccessPolicy":     nil,
	"eks:CreatePodIdentityAssociation": {"association.associationId"},
	"eks:UpdatePodIdentityAssociation": {"association.associationId"},
	"eks:DeletePodIdentityAssociation": {"association.associationId"},
	"eks:CreateAddon":                  {"addon.status"},
	"eks:DeleteAddon":                  {"addon.status"},
	"eks:UpdateAddon":                  {"update.id"},

	"iam:GetRole":                        {"Role.Arn", "Role.AssumeRolePolicyDocument"},
	"iam:ListAttachedRolePolicies":       {"AttachedPolicies[]"},
	"iam:ListRolePolicies":               {"PolicyNames[]"},
	"iam:GetRolePolicy":                  {"PolicyDocument"},
	"iam:ListInstanceProfilesForRole":    {"InstanceProfiles[]"},
	"iam:GetPolicy":                      {"Policy.DefaultVersionId"},
	"iam:GetPolicyVersion":               {"PolicyVersion.Document"},
	"iam:GetOpenIDConnectProvider":       {"Url"},
	"iam:SimulatePrincipalPolicy":        {"EvaluationResults[]"},
	"iam:GetInstanceProfile":             {"InstanceProfile.Arn"},
	"iam:ListRoles":                      {"Roles[]"},
	"iam:GetAccountAuthorizationDetails": {"RoleDetailList[]"},
	"iam:ListOpenIDConnectProviders":     {"OpenIDConnectProviderList[]"},
	"iam:GetAccountSummary":              {"SummaryMap[]"}, // a map; InstanceProfileQuota looks for its keys
	"iam:ListPolicies":                   {"Policies[]"},
	"iam:ListInstanceProfiles":           {"InstanceProfiles[]"},
	"iam:ListEntitiesForPolicy":          {"PolicyRoles[]"},

	"iam:GenerateServiceLastAccessedDetails": {"JobId"},
	"iam:GetServiceLastAccessedDetails":      {"JobStatus"},

	"iam:CreateRole":                              {"Role.Arn"},
	"iam:DeleteRole":                              nil,
	"iam:AttachRolePolicy":                        nil,
	"iam:DetachRolePolicy":                        nil,
	"iam:PutRolePolicy":                           nil,
	"iam:DeleteRolePolicy":                        nil,
	"iam:CreatePolicy":                            {"Policy.Arn"},
	"iam:DeletePolicy":                            nil,
	"iam:CreateInstanceProfile":                   {"InstanceProfile.Arn"},
	"iam:DeleteInstanceProfile":                   nil,
	"iam:AddRoleToInstanceProfile":                nil,
	"iam:RemoveRoleFromInstanceProfile":           nil,
	"iam:UpdateAssumeRolePolicy":                  nil,
	"iam:CreateOpenIDConnectProvider":             {"OpenIDConnectProviderArn"},
	"iam:DeleteOpenIDConnectProvider":             nil,
	"iam:AddClientIDToOpenIDConnectProvider":      nil,
	"iam:RemoveClientIDFromOpenIDConnectProvider": nil,

	"ec2:DescribeLaunchTemplateVersions":             {"launchTemplateVersionSet[]"},
	"ec2:DescribeInstances":                          {"reservationSet[]"},
	"ec2:DescribeRegions":                            {"regionInfo[]"},
	"ec2:DescribeVpcEndpoints":                       {"vpcEndpointSet[]"},
	"ec2:DescribeRouteTables":                        {"routeTableSet[]"},
	"autoscaling:DescribeAutoScalingGroups":          {"AutoScalingGroups[]"},
	"autoscaling:DescribeLaunchConfigurations":       {"LaunchConfigurations[]"},
	"ecr:GetRepositoryPolicy":                        {"policyText"},
	"ecr:GetRegistryPolicy":                          {"policyText"},
	"ecr:DescribePullThroughCacheRules":              {"pullThroughCacheRules[]"},
	"organizations:ListAccounts":                     {"Accounts[]"},
	"organizations:ListAccountsForParent":            {"Accounts[]"},
	"organizations:ListOrganizationalUnitsForParent": {"OrganizationalUnits[]"},

	"organizations:DescribeOrganization":  {"Organization.Id"},
	"organizations:ListParents":           {"Parents[]"},
	"organizations:ListPoliciesForTarget": {"Policies[]"},
	"organizations:DescribePolicy":        {"Policy.Content"},
	"sts:GetCallerIdentity":               {"Account", "Arn"},

	"sts:AssumeRole":                {"Credentials.AccessKeyId"},
	"sts:AssumeRoleWithWebIdentity": {"Credentials.AccessKeyId"},
	"sso:GetRoleCredentials":        {"roleCredentials.accessKeyId"},
	"ssooidc:CreateToken":           {"accessToken"},
	"signin:CreateOAuth2Token":      {"accessToken.accessKeyId"},
}

// nonAWSResponseError is an answer that does not have the shape of an answer to the
// operation: it comes from a proxy, or from an endpoint that does not support the
// operation.
type nonAWSResponseError struct {
	operation string
	response  *http.Response
	// hint is what is wrong with the answer.
	hint string
}

// Error returns who answered with what, in one line.
func (e *nonAWSResponseError) Error() string {
	service, _, _ := strings.Cut(e.operation, ":")
	from := "the endpoint"
	if r := e.response.Request; r != nil && r.URL != nil {
		from = r.URL.Scheme + "://" + r.URL.Host
	}
	contentType := mediaType(e.response)
	if contentType == "" {
		contentType = "no content type"
	}
	hint := e.hint
	if contentType == htmlType {
		hint = "a proxy, or an endpoint that does not support this operation"
	}
	return collect.OneLine(fmt.Sprintf("%s answered %d with %s, not an %s answer (%s)", from, e.response.StatusCode, contentType, strings.ToUpper(service), hint))
}

const htmlType = "text/html"

func mediaType(response *http.Response) string {
	contentType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(contentType))
}

// operationOf names the call that a request is for, such as iam:GetRole.
func operationOf(ctx context.Context) string {
	return strings.ToLower(strings.ReplaceAll(awsmiddleware.GetServiceID(ctx), " ", "")) + ":" + awsmiddleware.GetOperationName(ctx)
}

// checkAnswers reads every answer, up to a limit, before the SDK does, and refuses one
// that is not in the shape of its operation. It is the last step of the stack, next to
// the transport.
func checkAnswers(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CheckAnswers",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			response, ok := out.RawResponse.(*smithyhttp.Response)
			operation := operationOf(ctx)
			members, known := required[operation]
			if err != nil || !ok || !known {
				return out, metadata, err
			}
			body, err := readAnswer(response.Response)
			if err == nil && response.StatusCode >= 200 && response.StatusCode < 300 {
				if hint := misshapen(operation, body, members); hint != "" {
					err = &nonAWSResponseError{operation, response.Response, hint}
				}
			}
			return out, metadata, err
		}), middleware.After)
}

// readAnswer returns the body of a response, and leaves it to be read again.
func readAnswer(response *http.Response) ([]byte, error) {
	limited := collect.LimitAnswer(response.Body)
	body, err := io.ReadAll(limited)
	_ = limited.Close() // everything that is needed was read
	response.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}

// misshapen returns why a body is not the answer to an operation, or returns "".
func misshapen(operation string, body []byte, members []string) string {
	service, action, _ := strings.Cut(operation, ":")
	switch service {
	case "ec2":
		return misshapenXML(body, action+"Response", members)
	case "iam", "sts", "autoscaling":
		inResult := make([]string, len(members))
		for i, member := range members {
			inResult[i] = action + "Result." + member
		}
		return misshapenXML(body, action+"Response", inResult)
	default:
		return misshapenJSON(body, members)
	}
}

const emptyBody = "the body is empty"

// misshapenJSON checks an answer of the REST-JSON protocol. An answer without members
// may be empty.
// Source: https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
func misshapenJSON(body []byte, members []string) string {
	if len(bytes.TrimSpace(body)) == 0 {
		if len(members) == 0 {
			return ""
		}
		return emptyBody
	}
	if !json.Valid(body) {
		return "the body is not valid JSON, or is cut off"
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil || object == nil {
		return "the body is not a JSON object"
	}
	for _, member := range members {
		if !holds(object, strings.Split(member, ".")) {
			return "the body has no " + strings.TrimSuffix(member, "[]")
		}
	}
	return ""
}

// holds reports whether a JSON object has a member.
func holds(object map[string]json.RawMessage, path []string) bool {
	name, isList := strings.CutSuffix(path[0], "[]")
	value := object[name]
	if len(path) > 1 {
		var inner map[string]json.RawMessage
		return json.Unmarshal(value, &inner) == nil && holds(inner, path[1:])
	}
	if isList {
		var list []json.RawMessage
		return json.Unmarshal(value, &list) == nil && list != nil
	}
	var text string
	return json.Unmarshal(value, &text) == nil && text != ""
}

// misshapenXML checks an answer of the query protocols. It reads no further than to
// the last member that it looks for: that the body is whole shows at its end.
// Sources: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html and
// aws-ec2-query-protocol.html.
func misshapenXML(body []byte, root string, members []string) string {
	if len(bytes.TrimSpace(body)) == 0 {
		return emptyBody
	}
	decoder := xml.NewDecoder(bytes.NewReader(body))
	start, err := startOf(decoder)
	switch {
	case err != nil:
		return "the body is not XML, or is cut off"
	case start.Name.Local != root:
		return fmt.Sprintf("the root element is <%s>, not <%s>", start.Name.Local, root)
	case !ends(body, root):
		return "the body is cut off: it does not end with </" + root + ">"
	}
	missing := slices.Clone(members)
	if err := find(decoder, "", &missing); err != nil {
		return "the body is not valid XML"
	}
	if len(missing) > 0 {
		return "the body has no " + strings.TrimSuffix(missing[0], "[]")
	}
	return ""
}

// startOf returns the next element that starts.
func startOf(decoder *xml.Decoder) (xml.StartElement, error) {
	for {
		token, err := decoder.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		if start, ok := token.(xml.StartElement); ok {
			return start, nil
		}
	}
}

// ends reports whether a document ends with the end of its root element, which may be an
// empty one.
func ends(body []byte, root string) bool {
	body = bytes.TrimSpace(body)
	last, closed := strings.CutSuffix(string(body[max(bytes.LastIndexByte(body, '<'), 0):]), ">")
	if start, isEmpty := strings.CutSuffix(last, "/"); isEmpty {
		return closed && strings.HasPrefix(start, "<"+root)
	}
	return closed && strings.TrimSpace(last) == "</"+root
}

// find takes the members that the element which the decoder is in has out of missing.
// The path of that element is prefix. It stops where all are found.
func find(decoder *xml.Decoder, prefix string, missing *[]string) error {
	for len(*missing) > 0 {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if err := findIn(decoder, token, prefix+token.Name.Local, missing); err != nil {
				return err
			}
		}
	}
	return nil
}

// findIn is find for the element that has just started.
func findIn(decoder *xml.Decoder, start xml.StartElement, path string, missing *[]string) error {
	remove := func(member string) {
		*missing = slices.DeleteFunc(*missing, func(m string) bool { return m == member })
	}
	switch {
	case slices.Contains(*missing, path+"[]"):
		if remove(path + "[]"); len(*missing) == 0 {
			return nil
		}
	case slices.Contains(*missing, path):
		var text string
		if err := decoder.DecodeElement(&text, &start); err != nil {
			return err
		}
		if text != "" {
			remove(path)
		}
		return nil
	case slices.ContainsFunc(*missing, func(m string) bool { return strings.HasPrefix(m, path+".") }):
		return find(decoder, path+".", missing)
	}
	return decoder.Skip()
}
