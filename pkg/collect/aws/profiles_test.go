package aws_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
)

func TestProfiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	if names, err := aws.Profiles(); err != nil || len(names) > 0 {
		t.Errorf("without files: %v, %v", names, err)
	}
	for name, text := range map[string]string{
		"config":      "[default]\nregion = eu-west-1\n[profile prod]\n  [ profile  \"two words\" ]  ; comment\n[sso-session corp]\n[services local]\n[ignored]\n# [profile no]\n[profile open\n",
		"credentials": "[default]\n[ci]\naws_access_key_id = x\n[prod]\n[]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := aws.Profiles()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ci", "default", "prod", "two words"}, names); diff != "" {
		t.Error(diff)
	}
}
