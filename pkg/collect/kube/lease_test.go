package kube

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
)

var leases = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

// leaseServer is an API server with one lease.
type leaseServer struct {
	mu    sync.Mutex
	lease *coordinationv1.Lease
	err   error
	// before is called before a write, once.
	before func()
}

func (s *leaseServer) Get(context.Context, string, metav1.GetOptions) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, s.err
	case s.lease == nil:
		return nil, apierrors.NewNotFound(leases, leaseName)
	}
	return s.lease.DeepCopy(), nil
}

func (s *leaseServer) Create(_ context.Context, l *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	return s.write(l, func() error {
		if s.lease != nil {
			return apierrors.NewAlreadyExists(leases, leaseName)
		}
		return nil
	})
}

func (s *leaseServer) Update(_ context.Context, l *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	return s.write(l, func() error {
		if s.lease == nil || s.lease.ResourceVersion != l.ResourceVersion {
			return apierrors.NewConflict(leases, leaseName, errors.New("changed"))
		}
		return nil
	})
}

func (s *leaseServer) write(l *coordinationv1.Lease, refused func() error) (*coordinationv1.Lease, error) {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if err := refused(); err != nil {
		return nil, err
	}
	version := 0
	if s.lease != nil {
		version, _ = strconv.Atoi(s.lease.ResourceVersion)
	}
	s.lease = l.DeepCopy()
	s.lease.ResourceVersion = strconv.Itoa(version + 1)
	return s.lease.DeepCopy(), nil
}

func (s *leaseServer) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *leaseServer) holder() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease == nil || s.lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *s.lease.Spec.HolderIdentity
}

// of is the lease for a holder.
func (s *leaseServer) of(holder string) *Lease {
	return (&Changes{Client: &Client{}, leases: s}).NewLease(holder)
}

// acquire takes a lease, and returns after what time and whether it waited.
func acquire(t *testing.T, l *Lease) (took time.Duration, waited bool) {
	t.Helper()
	began := time.Now()
	if err := l.Acquire(t.Context(), func() { waited = true }); err != nil {
		t.Fatal(err)
	}
	return time.Since(began), waited
}

// TestLease: a lease keeps others away until it is released, for however long.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		a, b := s.of("a"), s.of("b")
		if took, waited := acquire(t, a); took != 0 || waited {
			t.Errorf("the first one waited %s", took)
		}
		go func() {
			time.Sleep(10 * time.Minute)
			if err := a.Held(); err != nil || s.holder() != "a" {
				t.Errorf("%v, %s holds it", err, s.holder())
			}
			a.Release()
		}()
		took, waited := acquire(t, b)
		if took < 10*time.Minute || took > 10*time.Minute+leasePoll || !waited || s.holder() != "b" {
			t.Errorf("the second one waited %s (told: %v), %s holds it", took, waited, s.holder())
		}
		b.Release()
		if s.holder() != "" {
			t.Errorf("%s holds it still", s.holder())
		}
		if took, _ := acquire(t, a); took != 0 {
			t.Errorf("what is released is waited for %s", took)
		}
		a.Release()
	})
}

// TestLeaseKilled: the lease of a run that was killed expires, by this machine's clock; the
// next run of the same holder does not wait for that.
func TestLeaseKilled(t *testing.T) {
	for holder, limit := range map[string]time.Duration{"a": 0, "b": leaseDuration + leasePoll} {
		synctest.Test(t, func(t *testing.T) {
			s := &leaseServer{}
			killed := s.of("a")
			acquire(t, killed)
			killed.stop()
			s.lease.Spec.RenewTime.Time = time.Now().Add(time.Hour) // another machine's clock
			next := s.of(holder)
			if took, _ := acquire(t, next); took > limit || took < limit-leasePoll {
				t.Errorf("%s waited %s", holder, took)
			}
			next.Release()
		})
	}
}

// TestLeaseLost: who cannot renew the lease, or finds another holder in it, no longer holds it.
func TestLeaseLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{}
		a := s.of("a")
		acquire(t, a)
		s.set(func() { s.err = errors.New("unreachable") })
		time.Sleep(leaseTrust - renewInterval)
		if err := a.Held(); err != nil {
			t.Errorf("too early: %v", err)
		}
		time.Sleep(2 * renewInterval)
		if err := a.Held(); err == nil {
			t.Error("it cannot be renewed, and is held")
		}
		s.set(func() { s.err = nil })
		time.Sleep(2 * renewInterval)
		if err := a.Held(); err != nil {
			t.Errorf("it is renewed again: %v", err)
		}
		other := "b"
		s.set(func() { s.lease.Spec.HolderIdentity = &other })
		time.Sleep(2 * renewInterval)
		if err := a.Held(); !errors.Is(err, errOtherHolder) {
			t.Errorf("another has it: %v", err)
		}
		a.Release()
		if s.holder() != "b" {
			t.Error("the lease of another was released")
		}
	})
}

// TestLeaseRace: of two that find it free one takes it.
func TestLeaseRace(t *testing.T) {
	for _, empty := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, none := &leaseServer{}, ""
			if !empty {
				s.lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "7"}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &none}}
			}
			s.before = func() {
				b := s.of("b")
				acquire(t, b)
				go func() {
					time.Sleep(time.Minute)
					b.Release()
				}()
			}
			a := s.of("a")
			if took, waited := acquire(t, a); took < time.Minute || !waited {
				t.Errorf("both have it: %s", took)
			}
			a.Release()
		})
	}
}

// TestLeaseRefused: the error names the permission; a wait ends with its context.
func TestLeaseRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaseServer{err: apierrors.NewForbidden(leases, leaseName, errors.New("no"))}
		err := s.of("a").Acquire(t.Context(), nil)
		var refused *collect.CallError
		if !errors.As(err, &refused) || refused.Permission != "get leases.coordination.k8s.io in kube-system" {
			t.Errorf("%v", err)
		}
		s.err = nil
		a := s.of("a")
		acquire(t, a)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.of("b").Acquire(ctx, func() {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		a.Release()
	})
}
