package aws

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
)

// TestBudget: whatever is asked for at once, IAM gets less than half of the requests for an
// operation that it is known to allow, retries included; other operations do not wait.
func TestBudget(t *testing.T) {
	var mu sync.Mutex
	sent := map[string][]time.Time{}
	c, _ := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		action := r.PostForm.Get("Action")
		mu.Lock()
		sent[action] = append(sent[action], time.Now())
		mu.Unlock()
		_, _ = io.WriteString(w, smallest("iam:"+action))
	}))
	began := time.Now()
	var group sync.WaitGroup
	for range 21 {
		group.Go(func() {
			if _, err := c.InlinePolicies(t.Context(), "r"); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := c.AttachedPolicies(t.Context(), "r"); err != nil || time.Since(began) > time.Second {
		t.Errorf("another operation waited %s: %v", time.Since(began), err)
	}
	group.Wait()
	times := sent["ListRolePolicies"]
	for i := range times {
		n := 0
		for _, at := range times {
			if d := at.Sub(times[i]); d >= 0 && d < time.Second {
				n++
			}
		}
		if n > 15 { // the burst and a second of the rate, and one at the edge
			t.Errorf("%d requests in a second", n)
		}
	}
	if took := time.Since(began); len(times) != 21 || took < 1900*time.Millisecond {
		t.Errorf("%d requests in %s", len(times), took)
	}
}

// TestBudgetPauses: the pauses are those of the rate, and one that would end after the
// context's deadline is not begun.
func TestBudgetPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var paused time.Duration
		b := newBudget(Config{Sleep: func(ctx context.Context, d time.Duration) error {
			paused += d
			return sleep(ctx, d)
		}})
		wait := func(ctx context.Context, operation string) error {
			_, err := b.wait(ctx, operation, "eu-west-1")
			return err
		}
		began := time.Now()
		for range 7 * 10 {
			if err := wait(t.Context(), "iam:GetRole"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != paused || took.Round(10*time.Millisecond) != 9*time.Second {
			t.Errorf("%s, of which %s were pauses", took, paused)
		}
		if err := wait(t.Context(), "eks:DescribeNodegroup"); err != nil || time.Since(began) != paused {
			t.Errorf("another service waits: %v", err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := wait(short, "iam:GetRole"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != paused {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if err := wait(ended, "iam:GetRole"); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// TestReady: a region whose rate is used up is not ready for a cluster until half of its burst
// is there again; other regions are. Where the rate of an operation of IAM is used up, none is.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(Config{Many: true})
		if !b.ready("eu-west-1") {
			t.Error("a region that nothing was asked of is not ready")
		}
		for range eksBurst {
			if _, err := b.wait(t.Context(), "eks:DescribeNodegroup", "eu-west-1"); err != nil {
				t.Fatal(err)
			}
		}
		if b.ready("eu-west-1") || !b.ready("us-east-1") {
			t.Errorf("ready: %t, another region: %t", b.ready("eu-west-1"), b.ready("us-east-1"))
		}
		time.Sleep(eksBurst / 2 * time.Second / eksRate)
		if !b.ready("eu-west-1") {
			t.Error("not ready when half of the burst is there")
		}
		for range iamRate {
			if _, err := b.wait(t.Context(), "iam:GetRole", "us-east-1"); err != nil {
				t.Fatal(err)
			}
		}
		if b.ready("eu-west-1") || b.ready("us-east-1") {
			t.Error("ready without requests to IAM left")
		}
		time.Sleep(time.Second)
		if !b.ready("eu-west-1") {
			t.Error("not ready when requests to IAM are left")
		}
	})
}

// TestSlowAnswer: an answer that arrives byte by byte ends within the limit of a request,
// and is not asked for again.
func TestSlowAnswer(t *testing.T) {
	var requests atomic.Int32
	c, _ := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			time.Sleep(20 * time.Millisecond)
		}
	}))
	cfg := c.settings
	cfg.RequestTimeout, cfg.Env["AWS_MAX_ATTEMPTS"] = 300*time.Millisecond, "5"
	c, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.at.answered.Store(true)
	began := time.Now()
	_, err = c.ListClusters(t.Context())
	var failed *collect.CallError
	if !errors.As(err, &failed) || failed.Message != "the response was not complete in time" {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 3*time.Second || requests.Load() != 1 {
		t.Errorf("%d requests in %s", requests.Load(), took)
	}
}

// TestThrottledEnds: an endpoint that always throttles, or always fails, is asked a bounded
// number of times, and no longer than the context allows.
func TestThrottledEnds(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusTooManyRequests:    "eks:ListClusters: throttled repeatedly: ThrottlingException: Rate exceeded",
		http.StatusServiceUnavailable: "eks:ListClusters: ServiceUnavailableException: Rate exceeded",
	} {
		var requests atomic.Int32
		c, _ := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			w.Header().Set("X-Amzn-Errortype", map[int]string{http.StatusTooManyRequests: "ThrottlingException", http.StatusServiceUnavailable: "ServiceUnavailableException"}[status])
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"message":"Rate exceeded"}`)
		}))
		cfg := c.settings
		cfg.Env["AWS_MAX_ATTEMPTS"] = "2"
		c, err := New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.ListClusters(t.Context()); err == nil || err.Error() != want || requests.Load() != 2 {
			t.Errorf("%d: %v after %d requests", status, err, requests.Load())
		}
		cfg.Env["AWS_MAX_ATTEMPTS"] = "100"
		if c, err = New(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		began := time.Now()
		_, err = c.ListClusters(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 3*time.Second {
			t.Errorf("%d: %v in %s", status, err, time.Since(began))
		}
	}
}

// TestHalved: a throttled answer halves the rate of its operation and of no other, and is
// counted; time without one raises the rate again, never above what it was.
func TestHalved(t *testing.T) {
	c, _ := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.PostForm.Get("Action") == "ListRolePolicies" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>`)
			return
		}
		_, _ = io.WriteString(w, smallest("iam:"+r.PostForm.Get("Action")))
	}))
	if _, err := c.InlinePolicies(t.Context(), "r"); err == nil {
		t.Fatal("no error")
	}
	if _, err := c.AttachedPolicies(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	p := c.budget.paceOf("iam:ListRolePolicies", "")
	if n := c.Throttled(); len(n) != 1 || n["iam:ListRolePolicies"] != 1 || p.limiter.Limit() != iamRate/2. {
		t.Errorf("throttled %v, rate %v", n, p.limiter.Limit())
	}
	if other := c.budget.paceOf("iam:ListAttachedRolePolicies", ""); other.limiter.Limit() != iamRate {
		t.Errorf("another operation has the rate %v", other.limiter.Limit())
	}
	throttled := &smithy.GenericAPIError{Code: "Throttling"}
	for range 20 {
		c.budget.note(p, "iam:ListRolePolicies", throttled, p.changed)
	}
	if p.limiter.Limit() != p.full/leastPart {
		t.Errorf("the least rate is %v of %v", p.limiter.Limit(), p.full)
	}
	now := p.changed
	c.budget.note(p, "iam:ListRolePolicies", nil, now.Add(raiseAfter/2))
	if p.limiter.Limit() != p.full/leastPart {
		t.Error("the rate was raised at once")
	}
	for range 20 {
		now = now.Add(raiseAfter)
		c.budget.note(p, "iam:ListRolePolicies", nil, now)
	}
	if p.limiter.Limit() != p.full {
		t.Errorf("the rate is %v again, was %v", p.limiter.Limit(), p.full)
	}
}

// TestPacedEKS: where many clusters are read, the requests to EKS of one region are paced, and
// those of another one do not wait for them. The usual requests for one cluster do not wait.
func TestPacedEKS(t *testing.T) {
	one, _ := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, smallest("eks:ListNodegroups"))
	}))
	cfg := one.settings
	cfg.Many = true
	many, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(c *Client) time.Duration {
		began := time.Now()
		var group sync.WaitGroup
		for range eksBurst + 3 {
			group.Go(func() {
				if _, err := c.NodeGroups(t.Context(), "prod"); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		return time.Since(began)
	}
	if took := ask(many); took < 550*time.Millisecond {
		t.Errorf("%d requests in %s", eksBurst+3, took)
	}
	began := time.Now()
	if _, err := many.In("us-east-1").NodeGroups(t.Context(), "prod"); err != nil || time.Since(began) > 150*time.Millisecond {
		t.Errorf("another region waited %s: %v", time.Since(began), err)
	}
	for range oneEKSBurst {
		if delay := one.budget.paceOf("eks:ListNodegroups", "eu-west-1").limiter.Reserve().Delay(); delay > 0 {
			t.Fatalf("a call for one cluster waits %s", delay)
		}
	}
	if delay := one.budget.paceOf("eks:ListNodegroups", "eu-west-1").limiter.Reserve().Delay(); delay == 0 {
		t.Error("the calls for a cluster with many node groups do not wait")
	}
}
