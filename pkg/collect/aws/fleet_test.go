package aws

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

// scopeOf returns the access key and the region with which a request is signed.
func scopeOf(r *http.Request) (key, region string) {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	parts := strings.Split(credential, "/")
	if len(parts) < 3 {
		return "", ""
	}
	return parts[0], parts[2]
}

// TestRegionsOfAccount: clients of regions are made once, sign for their region, and are
// counted in their account alone.
func TestRegionsOfAccount(t *testing.T) {
	var mu sync.Mutex
	regions := map[string]int{}
	c, _ := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, region := scopeOf(r)
		mu.Lock()
		regions[region]++
		mu.Unlock()
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, strings.Replace(smallest("ec2:DescribeRegions"), "<regionInfo/>",
				"<regionInfo><item><regionName>us-east-1</regionName></item><item><regionName>eu-west-1</regionName></item></regionInfo>", 1))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, smallest("eks:ListClusters"))
	}))
	if names, err := c.Regions(t.Context()); err != nil || !slices.Equal(names, []string{"eu-west-1", "us-east-1"}) {
		t.Fatalf("%v, %v", names, err)
	}
	for range 2 {
		for _, region := range []string{"eu-west-1", "us-east-1"} {
			if _, err := c.In(region).ListClusters(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if us := c.In("us-east-1"); us != c.In("us-east-1") || c.In("eu-west-1") != c || c.In("us-east-1").Region() != "us-east-1" {
		t.Error("a region has more than one client")
	}
	if regions["eu-west-1"] != 2 || regions["us-east-1"] != 1 || c.Calls()["eks:ListClusters"] != 2 {
		t.Errorf("requests by region %v, calls %v", regions, c.Calls())
	}
}

// TestAssume: the role is assumed with the credentials of the account and the external id;
// calls of the account of the role are counted there; a refusal is explained.
func TestAssume(t *testing.T) {
	var mu sync.Mutex
	var assumed url.Values
	var assumedBy, listedBy string
	refuse := false
	c, _ := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		key, _ := scopeOf(r)
		if r.Method != http.MethodPost {
			listedBy = key
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, smallest("eks:ListClusters"))
			return
		}
		_ = r.ParseForm()
		assumed, assumedBy = r.PostForm, key
		if refuse {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>`)
			return
		}
		_, _ = io.WriteString(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	}))
	role := c.Assume("arn:aws:iam::444455556666:role/Reader", "an id")
	if err := role.Credentials(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := role.In("us-east-1").ListClusters(t.Context()); err != nil {
		t.Fatal(err)
	}
	if assumed.Get("RoleArn") != "arn:aws:iam::444455556666:role/Reader" || assumed.Get("ExternalId") != "an id" || assumedBy != "AKIDEXAMPLE" || listedBy != "ASIAROLE" {
		t.Errorf("assumed %v by %s, listed by %s", assumed, assumedBy, listedBy)
	}
	if role.Calls()["eks:ListClusters"] != 1 || c.Calls()["eks:ListClusters"] != 0 {
		t.Errorf("%v, %v", role.Calls(), c.Calls())
	}
	refuse = true
	err := c.Assume("arn:aws:iam::777788889999:role/Reader", "").Credentials(t.Context())
	var p *problem.Error
	if !errors.As(err, &p) || !strings.Contains(p.Problem, "cannot be assumed") {
		t.Errorf("%v", err)
	}
}

// TestToken: the token is a presigned call of sts:GetCallerIdentity in the cluster's region,
// signed together with the cluster's name, and no request is made for it.
func TestToken(t *testing.T) {
	c, _ := clientOf(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s", r.Method, r.URL) }))
	for region, host := range map[string]string{"eu-west-1": "sts.eu-west-1.amazonaws.com", "cn-north-1": "sts.cn-north-1.amazonaws.com.cn"} {
		token, err := c.In(region).Token(context.Background(), "prod")
		if err != nil {
			t.Fatal(err)
		}
		text, ok := strings.CutPrefix(token, "k8s-aws-v1.")
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if !ok || err != nil {
			t.Fatalf("%s: %v", token, err)
		}
		signed, err := url.Parse(string(raw))
		if err != nil {
			t.Fatal(err)
		}
		q := signed.Query()
		if signed.Scheme != "https" || signed.Host != host || signed.Path != "/" || q.Get("Action") != "GetCallerIdentity" || q.Get("Version") != "2011-06-15" ||
			q.Get("X-Amz-Expires") != "60" || q.Get("X-Amz-SignedHeaders") != "host;x-k8s-aws-id" || q.Get("X-Amz-Signature") == "" ||
			!strings.HasPrefix(q.Get("X-Amz-Credential"), "AKIDEXAMPLE/") || !strings.HasSuffix(q.Get("X-Amz-Credential"), "/"+region+"/sts/aws4_request") {
			t.Errorf("%s", signed)
		}
	}
}
