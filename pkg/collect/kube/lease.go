package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The Lease by which runs on several machines wait for each other.
const leaseName = "kubectl-noderole"

// A holder that does not renew the lease for leaseDuration has ended without a word. It
// renews it every renewInterval, and does not rely on it any more after leaseTrust.
const (
	leaseDuration = 30 * time.Second
	leaseTrust    = 20 * time.Second
	renewInterval = 5 * time.Second
	leasePoll     = 2 * time.Second
)

// releaseTimeout is how long a run that ends waits to release the lease.
const releaseTimeout = time.Second

// leaseWriter are the calls of client-go for leases.
type leaseWriter interface {
	Get(context.Context, string, metav1.GetOptions) (*coordinationv1.Lease, error)
	Create(context.Context, *coordinationv1.Lease, metav1.CreateOptions) (*coordinationv1.Lease, error)
	Update(context.Context, *coordinationv1.Lease, metav1.UpdateOptions) (*coordinationv1.Lease, error)
}

// Lease is a lock of the cluster that other machines see. One run uses it.
type Lease struct {
	c      *Changes
	holder string
	stop   context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	renewed time.Time
	lost    error
}

// NewLease returns the lease for a holder. The holder's name is stored in the cluster.
func (c *Changes) NewLease(holder string) *Lease { return &Lease{c: c, holder: holder} }

// Acquire takes the lease and renews it until Release. It waits until another holder has
// released it, or has not renewed it for as long as that must, by this machine's clock;
// waits is called once before. Errors are those of reading.
func (l *Lease) Acquire(ctx context.Context, waits func()) error {
	var seen *coordinationv1.Lease
	var since time.Time
	for waited := false; ; {
		found, err := l.find(ctx)
		if err != nil {
			return err
		}
		if seen == nil || !sameRenewal(seen, found) {
			seen, since = found, time.Now()
		}
		taken := false
		if l.isFree(found) || time.Since(since) >= leaseDuration {
			if taken, err = l.take(ctx, found); err != nil {
				return err
			}
		}
		if taken {
			renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
			l.stop, l.done = stop, make(chan struct{})
			go l.renew(renewing)
			return nil
		}
		if !waited {
			waits()
			waited = true
		}
		select {
		case <-time.After(leasePoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// find returns the lease, nil where there is none.
func (l *Lease) find(ctx context.Context) (*coordinationv1.Lease, error) {
	found, err := l.c.leases.Get(quiet(ctx), leaseName, metav1.GetOptions{})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, l.c.explain(ctx, getLease, err)
	}
	return found, nil
}

// isFree reports whether nobody else holds a lease: what this holder has not released is of a
// run that was killed.
func (l *Lease) isFree(found *coordinationv1.Lease) bool {
	return found == nil || found.Spec.HolderIdentity == nil || *found.Spec.HolderIdentity == "" || *found.Spec.HolderIdentity == l.holder
}

// sameRenewal reports whether a lease was not renewed between two looks.
func sameRenewal(a, b *coordinationv1.Lease) bool {
	return a != nil && b != nil && a.ResourceVersion == b.ResourceVersion
}

// take writes this holder into a lease that was found, or creates it; taken is false where
// another came first.
func (l *Lease) take(ctx context.Context, found *coordinationv1.Lease) (taken bool, err error) {
	now, seconds := metav1.NewMicroTime(time.Now()), int32(leaseDuration/time.Second)
	operation := updateLease
	if found == nil {
		operation = createLease
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName, Namespace: namespace}}
		lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &l.holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now}
		_, err = l.c.leases.Create(quiet(ctx), lease, metav1.CreateOptions{})
	} else {
		lease := found.DeepCopy()
		lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds, lease.Spec.AcquireTime, lease.Spec.RenewTime = &l.holder, &seconds, &now, &now
		_, err = l.c.leases.Update(quiet(ctx), lease, metav1.UpdateOptions{}) // refused where its resource version has moved
	}
	switch {
	case err == nil:
		l.note(now.Time, nil)
		return true, nil
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), isAbsent(err):
		return false, nil
	}
	return false, l.c.explain(ctx, operation, err)
}

func (l *Lease) note(renewed time.Time, lost error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed, l.lost = renewed, lost
}

// renew renews the lease until the context ends or another holder has it.
func (l *Lease) renew(ctx context.Context) {
	defer close(l.done)
	for {
		select {
		case <-time.After(renewInterval):
		case <-ctx.Done():
			return
		}
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, renewInterval)
		err := l.write(limited, l.holder)
		cancel()
		switch {
		case errors.Is(err, errOtherHolder):
			l.note(began, err)
			return
		case err == nil:
			l.note(began, nil)
		}
	}
}

// errOtherHolder is a lease that another run has taken.
var errOtherHolder = errors.New("another run on another machine has taken the lock of the cluster")

// write writes a holder, empty for none, into the lease that this holder has.
func (l *Lease) write(ctx context.Context, holder string) error {
	found, err := l.find(ctx)
	if err != nil {
		return err
	}
	if found == nil || found.Spec.HolderIdentity == nil || *found.Spec.HolderIdentity != l.holder {
		return errOtherHolder
	}
	now := metav1.NewMicroTime(time.Now())
	found.Spec.HolderIdentity, found.Spec.RenewTime = &holder, &now
	_, err = l.c.leases.Update(quiet(ctx), found, metav1.UpdateOptions{})
	return err
}

// Held returns nil while the lease keeps other runs away, else why it does not.
func (l *Lease) Held() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != nil {
		return l.lost
	}
	if age := time.Since(l.renewed); age > leaseTrust {
		return fmt.Errorf("the lock of the cluster could not be renewed for %s", age.Round(time.Second))
	}
	return nil
}

// Release lets other runs take the lease. Where that fails, they wait until it expires.
func (l *Lease) Release() {
	if l.stop == nil {
		return
	}
	l.stop()
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	_ = l.write(ctx, "") // it expires
}
