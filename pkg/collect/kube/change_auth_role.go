package kube

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/change"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// authName and mapRoles are where aws-auth keeps its entries of roles.
const (
	authName = "aws-auth"
	mapRoles = "mapRoles"
)

var authRoleKind = changeKind{
	read: func(c *Changes, ctx context.Context, ch change.Change) (*change.State, error) {
		m, err := c.authMap(ctx)
		if err != nil || m == nil {
			return nil, err
		}
		return authState(m.Data[mapRoles], ch.Name)
	},
	write: (*Changes).writeAuth,
}

// authMap returns the ConfigMap aws-auth, or nil where it does not exist.
func (c *Changes) authMap(ctx context.Context) (*corev1.ConfigMap, error) {
	m, err := c.configMaps.Get(quiet(ctx), authName, metav1.GetOptions{})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(ctx, getConfigMap, err)
	}
	return m, nil
}

// authState finds a role's entry in mapRoles: the one without the role's path, of
// several the last, as for the authenticator, or else one with it.
func authState(text, arn string) (*change.State, error) {
	entries, err := awsauth.Parse(text)
	if err != nil && len(entries) == 0 {
		return nil, fmt.Errorf("aws-auth: %w", err)
	}
	var exact, near *change.State
	for _, e := range entries {
		state := &change.State{Role: e.RoleARN, Username: e.Username, Groups: e.Groups}
		switch {
		case strings.EqualFold(e.RoleARN, arn):
			exact = state
		case strings.EqualFold(snapshot.WithoutPath(e.RoleARN), arn):
			near = state
		}
	}
	if exact != nil {
		return exact, nil
	}
	return near, nil
}

// writeTries is how often an object is read again that another client has changed
// between reading and writing.
const writeTries = 5

// writeAuth changes one entry of aws-auth and keeps the rest as it is. It reads
// again where another client has written in between, as long as the entry is what the
// change begins from.
func (c *Changes) writeAuth(ctx context.Context, ch change.Change) error {
	for try := 1; ; try++ {
		m, err := c.authMap(ctx)
		if err != nil {
			return err
		}
		text := ""
		if m != nil {
			text = m.Data[mapRoles]
		}
		found, err := authState(text, ch.Name)
		if err != nil {
			return err
		}
		if !ch.AppliesTo(found) {
			return &change.ConflictError{Change: ch, Found: found}
		}
		if text, err = editAuth(text, ch); err != nil {
			return err
		}
		operation := updateConfigMap
		if m == nil {
			operation = createConfigMap
			_, err = c.configMaps.Create(quiet(ctx), &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: authName, Namespace: namespace}, Data: map[string]string{mapRoles: text},
			}, metav1.CreateOptions{})
		} else {
			if m.Data == nil {
				m.Data = map[string]string{}
			}
			m.Data[mapRoles] = text
			_, err = c.configMaps.Update(quiet(ctx), m, metav1.UpdateOptions{}) // refused where its resource version has moved
		}
		switch {
		case err == nil:
			return nil
		case try < writeTries && (apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)):
			continue
		}
		return c.explain(ctx, operation, err)
	}
}

// editAuth is mapRoles with the change made.
func editAuth(text string, ch change.Change) (string, error) {
	if ch.After == nil {
		return awsauth.Remove(text, ch.Before.Role)
	}
	old := ch.After.Role
	if ch.Before != nil {
		old = ch.Before.Role
	}
	return awsauth.Set(text, old, awsauth.Mapping{RoleARN: ch.After.Role, Username: ch.After.Username, Groups: ch.After.Groups})
}
