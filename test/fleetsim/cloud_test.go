package fleetsim_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// cloud answers for AWS and for the Kubernetes API of every cluster, from the facts of a
// fleet. It throttles as AWS does, and counts.
type cloud struct {
	*sourceFleet
	aws, kube *httptest.Server
	latency   time.Duration
	// fault, where set, may answer in place of the cloud.
	fault func(c *call) bool
	// authority is the certificate of kube, in base64.
	authority string
	// connections counts those to kube.
	connections atomic.Int64

	mu      sync.Mutex
	calls   map[string]int // by account, region, operation and object
	buckets map[string]*bucket
	// perBucket counts the calls that took a token.
	perBucket map[string]int
	// spans are when calls were answered, by account.
	spans map[string][]span
	// throttled counts what went over a bucket.
	throttled int
	// stall is the longest time for which this machine let a goroutine wait that was ready.
	stall time.Duration
}

// call is one request to AWS.
type call struct {
	w         http.ResponseWriter
	r         *http.Request
	account   string
	region    string
	service   string
	operation string // without the service
	object    string
	// body is the request of a JSON protocol.
	body map[string]any
}

// bucket is a token bucket and the least that was in it.
type bucket struct {
	*rate.Limiter
	least float64
}

// sizes are the token buckets of an account: how many requests at once, and how many a
// second. Of IAM they are what accounts are known to allow, of EC2 and STS what AWS's
// documentation says. Nobody knows those of EKS, EC2 Auto Scaling, ECR and Organizations:
// of EKS they are twice what the program keeps to.
// Sources: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, and
// https://github.com/turbot/steampipe-plugin-aws/blob/main/aws/plugin.go for IAM.
var sizes = map[string][2]int{
	"iam": {15, 15}, "iam:GetPolicy": {35, 35}, "iam:GetPolicyVersion": {35, 35},
	"eks": {40, 10},
	"ec2": {100, 20}, "autoscaling": {100, 20}, "ecr": {100, 20},
	"sts": {600, 600}, "organizations": {100, 20},
}

// span is when a call was being answered.
type span struct{ from, to time.Time }

// bucketOf returns the bucket that a call takes a token of, by its key. EKS has one for each
// region.
func (c *cloud) bucketOf(of *call) (string, *bucket) {
	key := strings.Join([]string{of.account, of.region, of.service}, " ")
	size := sizes[of.service]
	if of.service != "eks" {
		key += ":" + of.operation
		if own, known := sizes[of.service+":"+of.operation]; known {
			size = own
		}
	}
	b, known := c.buckets[key]
	if !known {
		b = &bucket{rate.NewLimiter(rate.Limit(size[1]), size[0]), float64(size[0])}
		c.buckets[key] = b
	}
	return key, b
}

// newCloud starts the servers of a sourceFleet.
func newCloud(t testing.TB, w *sourceFleet) *cloud {
	t.Helper()
	c := &cloud{sourceFleet: w, calls: map[string]int{}, buckets: map[string]*bucket{}, perBucket: map[string]int{}, spans: map[string][]span{}}
	c.aws = httptest.NewServer(http.HandlerFunc(c.serveAWS))
	c.kube = httptest.NewUnstartedServer(http.HandlerFunc(c.serveKube))
	c.kube.EnableHTTP2 = true                           // as API servers have it
	c.kube.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that clients have no more use for
	c.kube.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			c.connections.Add(1)
		}
	}
	c.kube.StartTLS()
	ctx := t.Context()
	go c.watch(ctx)
	t.Cleanup(c.aws.Close)
	t.Cleanup(c.kube.Close)
	c.authority = base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.kube.Certificate().Raw}))
	return c
}

// watch measures the stalls of the machine.
func (c *cloud) watch(ctx context.Context) {
	const tick = 5 * time.Millisecond
	for last := time.Now(); ctx.Err() == nil; last = time.Now() {
		time.Sleep(tick)
		c.mu.Lock()
		c.stall = max(c.stall, time.Since(last)-tick)
		c.mu.Unlock()
	}
}

// forget forgets what was counted, and fills the buckets.
func (c *cloud) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.calls)
	clear(c.buckets)
	clear(c.perBucket)
	clear(c.spans)
	c.throttled, c.stall = 0, 0
}

// count notes a call, and takes a token.
func (c *cloud) count(of *call) (allowed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bucket, b := c.bucketOf(of)
	if !b.Allow() {
		c.throttled++
		b.least = 0
		return false
	}
	c.perBucket[bucket]++
	b.least = min(b.least, b.Tokens())
	key := strings.Join([]string{of.account, of.region, of.service + ":" + of.operation, of.object}, " ")
	if of.operation == "GetPolicyVersion" && strings.HasPrefix(of.object, "arn:aws:iam::aws:") {
		key = "every account " + of.operation + " " + of.object // the document is the same everywhere
	}
	c.calls[key]++
	return true
}

// wait takes the time of a call.
func (c *cloud) wait(account string) {
	from := time.Now()
	if c.latency > 0 {
		time.Sleep(c.latency)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans[account] = append(c.spans[account], span{from, time.Now()})
}

// levels adds up how many calls to an account came one after the other: the most of which
// none began before another had ended. The mutex is held, or no run is in progress.
func (c *cloud) levels() int {
	n := 0
	for _, spans := range c.spans {
		slices.SortFunc(spans, func(a, b span) int { return a.to.Compare(b.to) })
		var last time.Time
		for _, s := range spans {
			if !s.from.Before(last) {
				n++
				last = s.to
			}
		}
	}
	return n
}

// twice returns what was asked more than once.
func (c *cloud) twice() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var again []string
	for _, key := range slices.Sorted(maps.Keys(c.calls)) {
		if n := c.calls[key]; n > 1 {
			again = append(again, fmt.Sprintf("%s: %d times", key, n))
		}
	}
	return again
}

// low returns the buckets that were less than half full. Calls that were sent one after the
// other arrive at once where the machine has stalled: what it may have held back is left out.
func (c *cloud) low() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var low []string
	for _, key := range slices.Sorted(maps.Keys(c.buckets)) {
		b := c.buckets[key]
		if held := float64(b.Limit()) * c.stall.Seconds(); b.least+held < float64(b.Burst())/2 {
			low = append(low, fmt.Sprintf("%s: %.1f of %d", key, b.least, b.Burst()))
		}
	}
	return low
}

// total counts the calls of a service; all of them where it is empty.
func (c *cloud) total(service string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for key, calls := range c.calls {
		if strings.Contains(key, " "+service) {
			n += calls
		}
	}
	return n
}

// serveAWS tells by the signature who calls which service where.
func (c *cloud) serveAWS(w http.ResponseWriter, r *http.Request) {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	scope := strings.Split(credential, "/")
	if len(scope) < 4 || len(scope[0]) != len("AKIA")+12 || r.ParseForm() != nil {
		http.Error(w, "not signed", http.StatusForbidden)
		return
	}
	of := &call{w: w, r: r, account: scope[0][len("AKIA"):], region: scope[2], service: scope[3]}
	of.name()
	allowed := c.count(of)
	c.wait(of.account)
	switch {
	case c.fault != nil && c.fault(of):
		return
	case !allowed:
		of.fail(http.StatusBadRequest, "ThrottlingException", "Rate exceeded")
		return
	}
	answers := map[string]func(*call){
		"eks": c.answerEKS, "iam": c.answerIAM, "ec2": c.answerEC2, "autoscaling": c.answerAutoScaling, "sts": c.answerSTS,
		"ecr": c.answerECR, "organizations": c.answerOrganizations,
	}
	if answer := answers[of.service]; answer != nil && c.accounts[of.account] != nil {
		answer(of)
		return
	}
	of.fail(http.StatusForbidden, "AccessDenied", "not authorized")
}

// name finds out the operation and what it is about.
func (c *call) name() {
	if _, name, ok := strings.Cut(c.r.Header.Get("X-Amz-Target"), "."); ok {
		text, _ := io.ReadAll(c.r.Body)
		_ = json.Unmarshal(text, &c.body)
		c.operation, c.object = name, string(text)
		return
	}
	if c.service == "eks" {
		c.operation, c.object = strings.Trim(c.r.URL.Path, "/"), c.r.URL.RawQuery
		return
	}
	c.operation = c.r.Form.Get("Action")
	form := maps.Clone(c.r.Form)
	delete(form, "Action")
	delete(form, "Version")
	c.object = url.Values(form).Encode()
	if arn := c.r.Form.Get("PolicyArn"); arn != "" {
		c.object = arn + " " + c.r.Form.Get("VersionId")
	}
}

// fail answers with an error in the shape of the service's protocol.
func (c *call) fail(status int, code, message string) {
	switch c.service {
	case "eks", "ecr", "organizations":
		c.w.Header().Set("Content-Type", "application/json")
		c.w.Header().Set("X-Amzn-Errortype", code)
		c.w.WriteHeader(status)
		_ = json.NewEncoder(c.w).Encode(map[string]string{"message": message})
	case "ec2":
		c.w.Header().Set("Content-Type", "text/xml")
		c.w.WriteHeader(status)
		fmt.Fprintf(c.w, "<Response><Errors><Error>%s%s</Error></Errors><RequestID>1</RequestID></Response>", element("Code", code), element("Message", message))
	default:
		c.w.Header().Set("Content-Type", "text/xml")
		c.w.WriteHeader(status)
		fmt.Fprintf(c.w, "<ErrorResponse><Error><Type>Sender</Type>%s%s</Error><RequestId>1</RequestId></ErrorResponse>", element("Code", code), element("Message", message))
	}
}

// missing is the error about something that does not exist.
func (c *call) missing() {
	if c.service == "eks" {
		c.fail(http.StatusNotFound, "ResourceNotFoundException", "no such resource")
		return
	}
	c.fail(http.StatusNotFound, "NoSuchEntity", "it cannot be found")
}

// json answers in the JSON protocols.
func (c *call) json(body any) {
	c.w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(c.w).Encode(body)
}

// xml answers in the query protocols; EC2 has no element for the result.
func (c *call) xml(result string) {
	c.w.Header().Set("Content-Type", "text/xml")
	if c.service != "ec2" {
		result = "<" + c.operation + "Result>" + result + "</" + c.operation + "Result>"
	}
	fmt.Fprintf(c.w, "<%[1]sResponse>%[2]s</%[1]sResponse>", c.operation, result)
}

// list reads a list of the query protocols.
func (c *call) list(name string) []string {
	var list []string
	for i := 1; c.r.Form.Has(name + "." + strconv.Itoa(i)); i++ {
		list = append(list, c.r.Form.Get(name+"."+strconv.Itoa(i)))
	}
	return list
}

func element(name, value string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(value))
	return "<" + name + ">" + out.String() + "</" + name + ">"
}

// elements is a list of the query protocols; member is member, or item for EC2.
func elements(name, member string, items []string) string {
	return "<" + name + "><" + member + ">" + strings.Join(items, "</"+member+"><"+member+">") + "</" + member + "></" + name + ">"
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
