package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// prNumber and headSHA are those of the pull request that the runs are for.
const (
	prNumber = 7
	headSHA  = "0123456789abcdef0123456789abcdef01234567"
)

// gitHub serves the release's archive, and the part of GitHub's API that the action calls.
type gitHub struct {
	*httptest.Server
	archive []byte

	mu       sync.Mutex
	comments []ghComment
	// sarif are the uploads, and states what the API says of one, in turn.
	sarif  []sarifUpload
	states []string
	// refuse is the status of all writes, where it is set.
	refuse int
	calls  []string
}

type ghComment struct {
	ID   int    `json:"databaseId"`
	Body string `json:"body"`
	Ours bool   `json:"viewerDidAuthor"`
}

type sarifUpload struct {
	CommitSHA string `json:"commit_sha"`
	Ref       string `json:"ref"`
	SARIF     string `json:"sarif"`
}

// newGitHub starts the server, with the plugin that the tests use as the release.
func newGitHub(t *testing.T) *gitHub {
	t.Helper()
	binary, err := os.ReadFile(filepath.Join(binDir, "kubectl-noderole"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	gz, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(gz)
	if err := errors.Join(
		tw.WriteHeader(&tar.Header{Name: "kubectl-noderole", Mode: 0o755, Size: int64(len(binary))}),
		func() error { _, err := tw.Write(binary); return err }(),
		tw.Close(), gz.Close(),
	); err != nil {
		t.Fatal(err)
	}
	g := &gitHub{archive: b.Bytes()}
	g.Server = httptest.NewTLSServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *gitHub) sum() string { return fmt.Sprintf("%x", sha256.Sum256(g.archive)) }

// ServeHTTP answers as GitHub does; a call without the token is refused.
func (g *gitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/releases/") {
		_, _ = w.Write(g.archive)
		return
	}
	g.calls = append(g.calls, r.Method+" "+r.URL.Path)
	answer := func(status int, value any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value)
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		answer(http.StatusBadRequest, map[string]string{"message": err.Error()})
	case r.Header.Get("Authorization") != "Bearer the-token":
		answer(http.StatusUnauthorized, map[string]string{"message": "Bad credentials"})
	case g.refuse != 0 && r.URL.Path != "/graphql":
		answer(g.refuse, map[string]string{"message": "Resource not accessible by integration"})
	case r.URL.Path == "/graphql":
		g.list(body, answer)
	default:
		g.rest(r, body, answer)
	}
}

// list answers the query for comments, one on a page, so that there are pages to turn.
func (g *gitHub) list(body []byte, answer func(int, any)) {
	var q struct {
		Query     string
		Variables struct {
			Owner, Name string
			Number      int
			After       *string
		}
	}
	if err := json.Unmarshal(body, &q); err != nil || q.Variables.Owner != "org" || q.Variables.Name != "repo" || q.Variables.Number != prNumber || !strings.Contains(q.Query, "viewerDidAuthor") {
		answer(http.StatusOK, map[string]any{"errors": []any{map[string]string{"message": "not the query"}}})
		return
	}
	at := 0
	if q.Variables.After != nil {
		at, _ = strconv.Atoi(*q.Variables.After)
	}
	page := g.comments[min(at, len(g.comments)):min(at+1, len(g.comments))]
	answer(http.StatusOK, map[string]any{"data": map[string]any{"repository": map[string]any{"pullRequest": map[string]any{"comments": map[string]any{
		"nodes":    page,
		"pageInfo": map[string]any{"hasNextPage": at+1 < len(g.comments), "endCursor": strconv.Itoa(at + 1)},
	}}}}})
}

func (g *gitHub) rest(r *http.Request, body []byte, answer func(int, any)) {
	const repo = "/api/repos/org/repo"
	var comment ghComment
	switch _, id, ok := strings.Cut(r.URL.Path, repo+"/issues/comments/"); {
	case r.Method == http.MethodPatch && ok:
		i := slices.IndexFunc(g.comments, func(c ghComment) bool { return strconv.Itoa(c.ID) == id })
		if err := json.Unmarshal(body, &comment); err != nil || i < 0 {
			answer(http.StatusNotFound, map[string]string{"message": "Not Found"})
			return
		}
		g.comments[i].Body = comment.Body
		answer(http.StatusOK, map[string]string{"html_url": "https://github.com/org/repo/pull/7#issuecomment-" + id})
	case r.Method == http.MethodPost && r.URL.Path == repo+"/issues/7/comments":
		if err := json.Unmarshal(body, &comment); err != nil || len(comment.Body) > 65536 {
			answer(http.StatusUnprocessableEntity, map[string]string{"message": "Validation Failed"})
			return
		}
		comment.ID, comment.Ours = 1000+len(g.comments), true
		g.comments = append(g.comments, comment)
		answer(http.StatusCreated, map[string]string{"html_url": "https://github.com/org/repo/pull/7#issuecomment-" + strconv.Itoa(comment.ID)})
	case r.Method == http.MethodPost && r.URL.Path == repo+"/code-scanning/sarifs":
		var upload sarifUpload
		if err := json.Unmarshal(body, &upload); err != nil {
			answer(http.StatusBadRequest, map[string]string{"message": err.Error()})
			return
		}
		g.sarif = append(g.sarif, upload)
		answer(http.StatusAccepted, map[string]string{"id": "47177e22"})
	case r.Method == http.MethodGet && r.URL.Path == repo+"/code-scanning/sarifs/47177e22" && len(g.states) > 0:
		state := g.states[0]
		g.states = g.states[1:]
		answer(http.StatusOK, map[string]any{"processing_status": state, "errors": []string{"a field is wrong"}})
	default:
		answer(http.StatusNotFound, map[string]string{"message": "Not Found"})
	}
}

// actionRun is what a run of the action ended with.
type actionRun struct {
	code        int
	log         string
	annotations []string
	summary     string
	outputs     map[string]string
}

// expression is what the action uses of GitHub's expressions.
var expression = regexp.MustCompile(`\$\{\{ *([a-z0-9.-]+) *\}\}`)

// runAction runs the steps of action.yml as the runner does: in order until one fails, each
// with bash, its environment and the files for outputs and the summary.
func runAction(t *testing.T, g *gitHub, env []string, inputs map[string]string) actionRun {
	t.Helper()
	var action struct {
		Inputs  map[string]struct{ Default *string }
		Outputs map[string]struct{ Value string }
		Runs    struct {
			Using string
			Steps []map[string]any
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &action); err != nil || action.Runs.Using != "composite" {
		t.Fatalf("action.yml: %v, using %q", err, action.Runs.Using)
	}
	for name := range inputs {
		if _, ok := action.Inputs[name]; !ok {
			t.Fatalf("action.yml has no input %s", name)
		}
	}
	dir := actionFolder(t, g)
	temp := t.TempDir()
	outputs := map[string]map[string]string{}
	evaluate := func(text string) string {
		return expression.ReplaceAllStringFunc(text, func(e string) string {
			parts := strings.Split(expression.FindStringSubmatch(e)[1], ".")
			switch {
			case slices.Equal(parts, []string{"github", "token"}):
				return "the-token"
			case len(parts) == 2 && parts[0] == "inputs":
				if given, ok := inputs[parts[1]]; ok {
					return given
				}
				return strings.ReplaceAll(*action.Inputs[parts[1]].Default, "${{ github.token }}", "the-token")
			case len(parts) == 4 && parts[0] == "steps" && parts[2] == "outputs":
				return outputs[parts[1]][parts[3]]
			}
			t.Fatalf("the expression %s is not one that this runner knows", e)
			return ""
		})
	}
	files := map[string]string{}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"} {
		files[name] = filepath.Join(temp, name)
		write(t, files[name], "")
	}
	event := filepath.Join(temp, "event.json")
	write(t, event, fmt.Sprintf(`{"pull_request": {"number": %d, "head": {"sha": %q}}}`, prNumber, headSHA))
	authority := filepath.Join(temp, "ca.pem")
	write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})))

	var run actionRun
	for _, step := range action.Runs.Steps {
		if step["uses"] != nil || step["shell"] != "bash" {
			t.Fatalf("a step is not a bash script of this project: %v", step)
		}
		if condition, _ := step["if"].(string); condition != "" {
			name, ok := strings.CutSuffix(strings.TrimPrefix(condition, "inputs."), " == 'true'")
			if !ok {
				t.Fatalf("this runner does not know the condition %q", condition)
			}
			if evaluate("${{ inputs."+name+" }}") != "true" {
				continue
			}
		}
		write(t, files["GITHUB_OUTPUT"], "")
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].(string))
		added, err := os.ReadFile(files["GITHUB_PATH"])
		if err != nil {
			t.Fatal(err)
		}
		path := strings.Join(append(strings.Fields(string(added)), os.Getenv("PATH")), string(os.PathListSeparator))
		cmd.Env = slices.Concat(env, []string{
			"PATH=" + path, "CURL_CA_BUNDLE=" + authority, "RUNNER_TEMP=" + temp, "GITHUB_ACTION_PATH=" + dir, "GITHUB_EVENT_PATH=" + event,
			"GITHUB_API_URL=" + g.URL + "/api", "GITHUB_GRAPHQL_URL=" + g.URL + "/graphql", "GITHUB_REPOSITORY=org/repo",
			"GITHUB_SHA=89abcdef0123456789abcdef0123456789abcdef", "GITHUB_REF=refs/pull/7/merge",
		})
		for name, file := range files {
			cmd.Env = append(cmd.Env, name+"="+file)
		}
		own, _ := step["env"].(map[string]any)
		for name, value := range own {
			cmd.Env = append(cmd.Env, name+"="+evaluate(value.(string)))
		}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		run.log += string(out)
		run.annotations = append(run.annotations, annotationsIn(string(out))...)
		if id, _ := step["id"].(string); id != "" {
			outputs[id] = keyValues(t, files["GITHUB_OUTPUT"])
		}
		if run.code = cmd.ProcessState.ExitCode(); run.code != 0 {
			break
		}
	}
	summary, err := os.ReadFile(files["GITHUB_STEP_SUMMARY"])
	if err != nil {
		t.Fatal(err)
	}
	run.summary, run.outputs = string(summary), map[string]string{}
	for name, output := range action.Outputs {
		run.outputs[name] = evaluate(output.Value)
	}
	return run
}

// actionFolder is the action as a runner checks it out, with the test server in place of
// GitHub in plugins.yaml.
func actionFolder(t *testing.T, g *gitHub) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "action"), os.DirFS(filepath.Join("..", "..", "action"))); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "plugins.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	manifest := regexp.MustCompile(`uri: https://\S*/releases/`).ReplaceAllString(string(text), "uri: "+g.URL+"/releases/")
	platform := fmt.Sprintf(`(_%s_%s\.tar\.gz\n\s*sha256: )\S+`, runtime.GOOS, runtime.GOARCH)
	write(t, filepath.Join(dir, "plugins.yaml"), regexp.MustCompile(platform).ReplaceAllString(manifest, "${1}"+g.sum()))
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func keyValues(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[key] = value
	}
	return values
}

// annotationsIn reads the workflow commands of a step's log as the runner does
// (actions/runner, src/Runner.Common/ActionCommand.cs): also after spaces, but none while
// they are stopped.
func annotationsIn(log string) []string {
	var found []string
	stopped := ""
	command := regexp.MustCompile(`^\s*::([a-z-]+)(?: ([^:]*))?::(.*)$`)
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\n")
		m := command.FindStringSubmatch(line)
		switch {
		case stopped != "":
			if strings.TrimSpace(line) == "::"+stopped+"::" {
				stopped = ""
			}
		case m != nil && m[1] == "stop-commands":
			stopped = m[3]
		case m != nil:
			message, _, _ := strings.Cut(m[3], "%0A")
			found = append(found, m[1]+" "+m[2]+": "+message)
		case strings.Contains(line, "##["):
			found = append(found, line)
		}
	}
	return found
}

// TestAction runs the GitHub Action on a healthy and a broken snapshot, and on a live
// cluster.
func TestAction(t *testing.T) {
	g := newGitHub(t)
	example := func(name string) string {
		path, err := filepath.Abs(filepath.Join("..", "..", "examples", name))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}

	t.Run("healthy", func(t *testing.T) {
		run := runAction(t, g, baseEnv(), map[string]string{"args": "-f " + example("healthy.yaml")})
		if run.code != 0 || len(run.annotations) > 0 || !strings.Contains(run.summary, "0 errors") || run.outputs["exit-code"] != "0" {
			t.Errorf("exit %d, annotations %q, outputs %q\n%s\n%s", run.code, run.annotations, run.outputs, run.summary, run.log)
		}
		if len(g.calls) > 0 {
			t.Errorf("without upload and comment it calls %s", g.calls)
		}
	})

	t.Run("broken", func(t *testing.T) {
		g.comments = []ghComment{{ID: 1, Body: "<!-- kubectl-noderole arn:aws:eks:eu-west-1:444455556666:cluster/shop -->\nof somebody else"}, {ID: 2, Body: "of another workflow", Ours: true}}
		before := slices.Clone(g.comments)
		for range 2 {
			g.states = []string{"pending", "complete"}
			run := runAction(t, g, baseEnv(), map[string]string{"args": "-f '" + example("broken.yaml") + "'\n--fail-on error", "upload-sarif": "true", "comment": "true"})
			if run.code != 1 || run.outputs["exit-code"] != "1" {
				t.Fatalf("exit %d\n%s", run.code, run.log)
			}
			if !slices.Contains(run.annotations, "error title=NR202 role bastionRole: bastionRole cannot pull images from ECR") {
				t.Errorf("the annotations are %q", run.annotations)
			}
			if !strings.Contains(run.summary, "bastionRole cannot pull images from ECR") {
				t.Errorf("the summary is\n%s", run.summary)
			}
			sarif, err := os.ReadFile(run.outputs["sarif"])
			if err != nil {
				t.Fatal(err)
			}
			last := g.sarif[len(g.sarif)-1]
			if got := gunzip(t, last.SARIF); got != string(sarif) || last.Ref != "refs/pull/7/merge" || last.CommitSHA != "89abcdef0123456789abcdef0123456789abcdef" {
				t.Errorf("uploaded for %s %s:\n%s", last.Ref, last.CommitSHA, got)
			}
			for _, name := range []string{"markdown", "json"} {
				if _, err := os.Stat(run.outputs[name]); err != nil {
					t.Error(err)
				}
			}
		}
		if len(g.comments) != 3 || !strings.Contains(g.comments[2].Body, "bastionRole cannot pull images from ECR") || !strings.Contains(g.comments[2].Body, headSHA) {
			t.Errorf("after two runs the comments are %v", g.comments)
		}
		if diff := cmp.Diff(before, g.comments[:2]); diff != "" {
			t.Errorf("comments of others were changed: %s", diff)
		}
	})

	for name, code := range map[string]int{"right.json": 0, "mistakes.json": 1} {
		t.Run("plan "+name, func(t *testing.T) {
			plan, err := filepath.Abs(filepath.Join("..", "..", "pkg", "iac", "terraform", "testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			run := runAction(t, g, baseEnv(), map[string]string{"args": "--terraform " + plan})
			if run.code != code || run.outputs["sarif"] == "" || (code == 0) != (len(run.annotations) == 0) {
				t.Errorf("exit %d, annotations %q\n%s", run.code, run.annotations, run.log)
			}
		})
	}

	t.Run("live", func(t *testing.T) {
		s := newScenario(t, "shop")
		s.healthy()
		s.apply()
		run := runAction(t, g, append(baseEnv(), s.kubeconfig(proxy.URL)...), map[string]string{"version": "", "sha256": ""})
		if run.code != 0 || !strings.Contains(run.summary, "0 errors") || !strings.Contains(run.summary, clusterARN("shop")) {
			t.Errorf("exit %d\n%s\n%s", run.code, run.summary, run.log)
		}
	})

	// The name of a node group is not read as a workflow command.
	t.Run("forged command", func(t *testing.T) {
		name := "::error title=forged::x ##[error]forged"
		file := healthyWith(t, filepath.Join(t.TempDir(), "forged.yaml"), map[string]any{name: map[string]any{"nodeRoleArn": healthyRole, "status": "ACTIVE"}})
		run := runAction(t, g, baseEnv(), map[string]string{"args": "-f " + file + " -o wide --show all"})
		if run.code != 0 || len(run.annotations) > 0 || !strings.Contains(run.log, "title=forged::x") {
			t.Errorf("exit %d, annotations %q\n%s", run.code, run.annotations, run.log)
		}
	})

	for name, tt := range map[string]struct {
		inputs map[string]string
		states []string
		refuse int
		code   int
		want   string
	}{
		"wrong flag":     {inputs: map[string]string{"args": "--no-such-flag"}, code: 2, want: "check exited with 2"},
		"no kubeconfig":  {inputs: map[string]string{}, code: 2, want: "check exited with 2"},
		"open quote":     {inputs: map[string]string{"args": "-f 'x"}, code: 1, want: "args has a quote that does not end"},
		"no checksum":    {inputs: map[string]string{"version": "v0.1.0"}, code: 1, want: "version needs sha256 too"},
		"odd version":    {inputs: map[string]string{"version": "v0.1.0/../x", "sha256": "0"}, code: 1, want: "version is not a release's tag"},
		"refused upload": {inputs: map[string]string{"args": "-f " + example("healthy.yaml"), "upload-sarif": "true"}, states: []string{"failed"}, code: 1, want: "code scanning refused the report: a field is wrong"},
		"no permission":  {inputs: map[string]string{"args": "-f " + example("healthy.yaml"), "comment": "true"}, refuse: http.StatusForbidden, code: 1, want: "answered 403: Resource not accessible by integration"},
		"bad token":      {inputs: map[string]string{"args": "-f " + example("healthy.yaml"), "comment": "true", "token": "x"}, code: 1, want: "answered 401: Bad credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			g.states, g.refuse = tt.states, tt.refuse
			defer func() { g.refuse = 0 }()
			run := runAction(t, g, baseEnv(), tt.inputs)
			if run.code != tt.code || !slices.ContainsFunc(run.annotations, func(a string) bool { return strings.HasPrefix(a, "error ") && strings.Contains(a, tt.want) }) {
				t.Errorf("exit %d, annotations %q\n%s", run.code, run.annotations, run.log)
			}
		})
	}

	t.Run("another archive", func(t *testing.T) {
		dir := actionFolder(t, g)
		cmd := exec.Command("bash", filepath.Join(dir, "action", "install.sh"))
		authority := filepath.Join(dir, "ca.pem")
		write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})))
		whole := g.archive
		g.archive = append(slices.Clone(g.archive), 0)
		defer func() { g.archive = whole }()
		cmd.Env = append(baseEnv(), "CURL_CA_BUNDLE="+authority, "RUNNER_TEMP="+dir, "GITHUB_ACTION_PATH="+dir, "GITHUB_PATH="+filepath.Join(dir, "path"), "VERSION=", "SHA256=")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "has the checksum") {
			t.Errorf("%v\n%s", err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, "path")); err == nil {
			t.Error("an archive with another checksum is on PATH")
		}
	})
}

func gunzip(t *testing.T, text string) string {
	t.Helper()
	r, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestGitLabComponent runs the script of the GitLab component, with its inputs filled in as
// GitLab does.
func TestGitLabComponent(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "templates", "noderole.yml"))
	if err != nil {
		t.Fatal(err)
	}
	head, body, ok := strings.Cut(string(text), "\n---\n")
	var spec struct {
		Spec struct {
			Inputs map[string]struct{ Default, Regex *string }
		}
	}
	if err := yaml.Unmarshal([]byte(head), &spec); err != nil || !ok {
		t.Fatalf("%v", err)
	}
	g := newGitHub(t)
	run := func(t *testing.T, env []string, inputs map[string]string) (dir, log string, code int) {
		t.Helper()
		inputs["image"] = "example"
		filled := regexp.MustCompile(`\$\[\[ inputs\.([a-z0-9]+) \]\]`).ReplaceAllStringFunc(body, func(e string) string {
			name := strings.TrimSuffix(strings.TrimPrefix(e, "$[[ inputs."), " ]]")
			input, known := spec.Spec.Inputs[name]
			value, given := inputs[name]
			switch {
			case !known || !given && input.Default == nil:
				t.Fatalf("the input %s is not there", name)
			case !given:
				value = *input.Default
			}
			if input.Regex != nil && !regexp.MustCompile(*input.Regex).MatchString(value) {
				t.Fatalf("the input %s does not take %q", name, value)
			}
			return value
		})
		var pipeline struct {
			Noderole struct {
				Script    []string
				Artifacts struct {
					Paths   []string
					Reports struct{ JUnit string }
				}
			}
		}
		if err := yaml.Unmarshal([]byte(filled), &pipeline); err != nil {
			t.Fatal(err)
		}
		dir = t.TempDir()
		authority := filepath.Join(dir, "ca.pem")
		write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})))
		cmd := exec.Command("sh", "-e", "-c", strings.Join(pipeline.Noderole.Script, "\n"))
		cmd.Dir, cmd.Env = dir, append(env, "CURL_CA_BUNDLE="+authority)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if code = cmd.ProcessState.ExitCode(); code < 2 {
			for _, name := range append(pipeline.Noderole.Artifacts.Paths, pipeline.Noderole.Artifacts.Reports.JUnit) {
				if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
					t.Errorf("the artifact %s: %v", name, err)
				}
			}
		}
		return dir, string(out), code
	}
	release := func(args string) map[string]string {
		return map[string]string{"version": "v0.1.0", "sha256": g.sum(), "releases": g.URL + "/releases/download", "args": args}
	}
	for name, code := range map[string]int{"healthy.yaml": 0, "broken.yaml": 1} {
		file, err := filepath.Abs(filepath.Join("..", "..", "examples", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, log, got := run(t, baseEnv(), release("-f "+file)); got != code {
			t.Errorf("%s: exit %d\n%s", name, got, log)
		}
	}
	for name, code := range map[string]int{"right.json": 0, "mistakes.json": 1} {
		plan, err := filepath.Abs(filepath.Join("..", "..", "pkg", "iac", "terraform", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, log, got := run(t, baseEnv(), release("--terraform "+plan)); got != code {
			t.Errorf("the plan %s: exit %d\n%s", name, got, log)
		}
	}
	t.Run("live", func(t *testing.T) {
		s := newScenario(t, "shop")
		s.healthy()
		s.apply()
		if _, log, code := run(t, append(baseEnv(), s.kubeconfig(proxy.URL)...), release("")); code != 0 || !strings.Contains(log, "0 errors") {
			t.Errorf("exit %d\n%s", code, log)
		}
	})
	t.Run("another archive", func(t *testing.T) {
		inputs := release("")
		inputs["sha256"] = strings.Repeat("0", 64)
		dir, log, code := run(t, baseEnv(), inputs)
		if _, err := os.Stat(filepath.Join(dir, ".noderole", "kubectl-noderole")); err == nil || code != 2 {
			t.Errorf("exit %d\n%s", code, log)
		}
	})
}

// TestPreCommitHooks runs the entry of each hook as pre-commit does, with file names behind it.
func TestPreCommitHooks(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", ".pre-commit-hooks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var hooks []struct{ ID, Entry, Language, Files string }
	if err := yaml.Unmarshal(text, &hooks); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, source := range map[string]string{
		"prod.snapshot.yaml": "examples/healthy.yaml", "it's staging.snapshot.yml": "examples/broken.yaml",
		"plan.json": "pkg/iac/terraform/testdata/right.json", "team a.plan.json": "pkg/iac/terraform/testdata/mistakes.json",
	} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(source)))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(text))
	}
	type test struct {
		args []string
		code int
	}
	tests := map[string]struct {
		match, other []string
		runs         []test
	}{
		"noderole-snapshot": {
			[]string{"clusters/prod.snapshot.yaml", "it's staging.snapshot.yml"},
			[]string{".noderole.yaml", "snapshot.json"},
			[]test{{[]string{"prod.snapshot.yaml"}, 0}, {[]string{"it's staging.snapshot.yml", "prod.snapshot.yaml"}, 1}, {[]string{"--fail-on=none", "it's staging.snapshot.yml"}, 0}},
		},
		"noderole-terraform": {
			[]string{"infra/plan.json", "plan.json", "team a.plan.json"},
			[]string{"explan.json", "plan.json.bak"},
			[]test{{[]string{"plan.json"}, 0}, {[]string{"team a.plan.json", "plan.json"}, 1}},
		},
	}
	for _, h := range hooks {
		tt, ok := tests[h.ID]
		if !ok || h.Language != "system" {
			t.Errorf("the hook %s is not tested here", h.ID)
			continue
		}
		delete(tests, h.ID)
		files := regexp.MustCompile(h.Files)
		for _, name := range tt.match {
			if !files.MatchString(name) {
				t.Errorf("the hook %s is not for %s", h.ID, name)
			}
		}
		for _, name := range tt.other {
			if files.MatchString(name) {
				t.Errorf("the hook %s is for %s", h.ID, name)
			}
		}
		for _, run := range tt.runs {
			// pre-commit splits the entry like a shell and runs it without one.
			cmd := exec.Command("sh", append([]string{"-c", h.Entry + ` "$@"`, "sh"}, run.args...)...)
			cmd.Dir, cmd.Env = dir, baseEnv()
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != run.code {
				t.Errorf("%s %q: exit %d\n%s", h.ID, run.args, code, out)
			}
		}
	}
	if len(tests) > 0 {
		t.Errorf("there are no hooks %v", tests)
	}
}
