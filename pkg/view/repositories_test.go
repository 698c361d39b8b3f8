package view

import (
	"testing"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// TestCanImport: what the permissions of the registry allow a role counts for the import
// alone, and for no question after it.
func TestCanImport(t *testing.T) {
	const repository = "arn:aws:ecr:eu-west-1:111122223333:repository/hub/nginx"
	v, role := tested(t, snapshot.Role{}, func(s *snapshot.Snapshot) {
		s.RepositoryPolicies = map[string]snapshot.RepositoryPolicy{repository: {NotFound: true}}
		s.Registries = map[string]snapshot.Registry{"eu-west-1": {
			PullThroughCache: map[string]string{"hub": "registry-1.docker.io"},
			Policy:           `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + roleARN + `"},"Action":"ecr:*","Resource":"*"}}`,
		}}
	})
	for _, a := range role.CanImport(v.CachedRepositories()[0]) {
		if a.Verdict != Allowed {
			t.Errorf("%s: %v", a.Action.Name, a.Verdict)
		}
	}
	for name, session := range map[string]*Session{"another session": v.IRSASession(), "the same session": v.InstanceSession()} {
		if got := role.CanAs(session, need.Pull[1]).Verdict; got != Denied {
			t.Errorf("%s: %v after the import was asked about", name, got)
		}
	}
}
