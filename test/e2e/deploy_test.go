package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// deployment is a test of what is in deploy, on a real API server with the real controllers.
type deployment struct {
	*scenario
	env       []string
	namespace string
	kubelet   *kubelet
	manager   *process
}

// deploy installs the CRDs of openreports.io and a kustomization, twice, and starts the
// controllers that it needs.
func (s *scenario) deploy(namespace, folder string) *deployment {
	s.t.Helper()
	d := &deployment{scenario: s, env: s.kubeconfig(proxy.URL), namespace: namespace}
	installOpenReports(s.t, d.env)
	s.t.Cleanup(func() { kubectl(s.t, d.env, "delete", "--ignore-not-found", "--wait=false", "-k", folder) })
	d.ok("apply", "--server-side", "--validate=strict", "-k", folder)
	d.ok("apply", "--server-side", "--validate=strict", "-k", folder)

	binary := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-controller-manager")
	var err error
	d.manager, err = start(binary, []string{
		"--kubeconfig=" + s.kubeconfigFile(), "--controllers=cronjob-controller,job-controller,deployment-controller,replicaset-controller",
		"--leader-elect=false", "--secure-port=0", "--cert-dir=" + s.t.TempDir(),
	})
	if err != nil {
		s.t.Fatalf("%v; from the project's root: ./hack/e2e-tools.sh", err)
	}
	s.t.Cleanup(d.manager.stop)
	d.kubelet = s.runPods(namespace)
	return d
}

// ok runs kubectl and returns its output.
func (d *deployment) ok(args ...string) string {
	d.t.Helper()
	return kubectlOK(d.t, d.env, args...)
}

// job makes a Job of a CronJob, whose first container may be edited.
func (d *deployment) job(cronJob, name string, edit func(c *corev1.Container)) {
	d.t.Helper()
	var job batchv1.Job
	d.must(json.Unmarshal([]byte(d.ok("create", "job", "-n", d.namespace, "--from=cronjob/"+cronJob, name, "--dry-run=client", "-o", "json")), &job))
	spec := &job.Spec.Template.Spec
	switch {
	case edit == nil:
	case len(spec.InitContainers) > 0:
		edit(&spec.InitContainers[0])
	default:
		edit(&spec.Containers[0])
	}
	_, err := d.kube.BatchV1().Jobs(d.namespace).Create(d.ctx, &job, metav1.CreateOptions{})
	d.must(err)
}

// await waits until a Job has a condition and returns the Job.
func (d *deployment) await(job string, condition batchv1.JobConditionType) *batchv1.Job {
	d.t.Helper()
	d.ok("wait", "-n", d.namespace, "--for=condition="+string(condition), "--timeout=120s", "job/"+job)
	j, err := d.kube.BatchV1().Jobs(d.namespace).Get(d.ctx, job, metav1.GetOptions{})
	d.must(err)
	return j
}

// refused waits until a Job has failed because of its podFailurePolicy, at the first pod.
func (d *deployment) refused(job string) {
	d.t.Helper()
	j := d.await(job, batchv1.JobFailed)
	i := slices.IndexFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobFailed })
	if j.Status.Conditions[i].Reason != batchv1.JobReasonPodFailurePolicy {
		d.t.Errorf("the job %s failed %d times: %+v", job, j.Status.Failed, j.Status.Conditions)
	}
}

// clusterReport is a ClusterReport of openreports.io.
type clusterReport struct {
	Metadata struct {
		Name                string
		Labels, Annotations map[string]string
	}
	Summary struct{ Pass, Fail, Error int }
	Results []struct {
		Policy, Result string
		Resources      []struct{ Name string }
	}
}

// reports are the ClusterReports by the cluster that they are about.
func (d *deployment) reports() map[string]clusterReport {
	d.t.Helper()
	var list struct{ Items []clusterReport }
	d.must(json.Unmarshal([]byte(d.ok("get", "clusterreports", "-o", "json")), &list))
	reports := map[string]clusterReport{}
	for _, r := range list.Items {
		reports[r.Metadata.Labels["noderole.dev/cluster"]] = r
	}
	return reports
}

// scrape waits until the exporter serves a text, and returns all that it serves.
func (d *deployment) scrape(text string) string {
	d.t.Helper()
	last := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		resp, err := http.Get(d.kubelet.exporterURL)
		if err != nil {
			last = err.Error()
			continue
		}
		body, err := io.ReadAll(resp.Body)
		d.must(errors.Join(err, resp.Body.Close()))
		if last = string(body); strings.Contains(last, text) {
			return last
		}
	}
	d.t.Fatalf("the exporter does not serve %s:\n%s", text, last)
	return ""
}

// TestDeploy installs deploy/example with kubectl apply -k. The real CronJob and Job
// controllers make the pods, and the API server enforces restricted pod security. What runs
// the pods is the stand-in kubelet.
func TestDeploy(t *testing.T) {
	s := newScenario(t, "shop")
	s.healthy()
	d := s.deploy("noderole", filepath.Join("..", "..", "deploy", "example"))
	if out := kubectl(t, d.env, "run", "other", "-n", d.namespace, "--image=busybox"); out.code == 0 || !strings.Contains(out.stderr, "violates PodSecurity") {
		t.Errorf("a pod with other rights is admitted: %s%s", out.stdout, out.stderr)
	}

	// The CronJob fires, and report and metrics of the healthy cluster are there.
	d.ok("patch", "cronjob", "noderole-check", "-n", d.namespace, "-p", `{"spec": {"schedule": "* * * * *"}}`)
	scheduled := ""
	for deadline := time.Now().Add(3 * time.Minute); scheduled == "" && time.Now().Before(deadline); time.Sleep(time.Second) {
		jobs, err := s.kube.BatchV1().Jobs(d.namespace).List(s.ctx, metav1.ListOptions{})
		s.must(err)
		for _, j := range jobs.Items {
			scheduled = j.Name
		}
	}
	if scheduled == "" {
		t.Fatalf("the CronJob made no Job\n%s", d.manager.log.String())
	}
	d.ok("patch", "cronjob", "noderole-check", "-n", d.namespace, "-p", `{"spec": {"suspend": true}}`)
	d.await(scheduled, batchv1.JobComplete)
	if r := d.reports(); len(r) != 1 || r["shop"].Summary.Fail != 0 || r["shop"].Summary.Error != 0 || r["shop"].Summary.Pass == 0 {
		t.Errorf("the reports of the healthy cluster: %+v", r)
	}
	const read = `noderole_cluster_read{account="` + account + `",cluster="shop",region="` + region + `"} 1`
	if metrics := d.scrape(read); strings.Contains(metrics, "noderole_results{") || !strings.Contains(metrics, "noderole_cluster_collected_timestamp_seconds{") || !strings.Contains(metrics, "node_textfile_scrape_error 0") {
		t.Errorf("the metrics of the healthy cluster:\n%s", metrics)
	}

	// The next run reports a fault. The finding does not fail the job.
	_, err := s.iam.DetachRolePolicy(s.ctx, &iam.DetachRolePolicyInput{RoleName: aws.String("eksNodeRole"), PolicyArn: aws.String(awsPolicy(pullPolicy))})
	s.must(err)
	d.job("noderole-check", "broken", nil)
	d.await("broken", batchv1.JobComplete)
	if d.reports()["shop"].Summary.Fail == 0 {
		t.Error("the report does not have the failure")
	}
	d.scrape(`rule="NR202",severity="error",status="fail"} 1`)

	// The next run no longer has the results of a role that is gone. Where the roles could not
	// be read, the report says so.
	s.nodeRole("spareNodeRole", workerPolicy, pullPolicy)
	s.nodeGroup("spare", "spareNodeRole")
	s.grantAccess("spareNodeRole", "EC2_LINUX")
	about := func(role string) (n int) {
		for _, r := range d.reports()["shop"].Results {
			if slices.ContainsFunc(r.Resources, func(o struct{ Name string }) bool { return o.Name == role }) {
				n++
			}
		}
		return n
	}
	d.job("noderole-check", "two", nil)
	d.await("two", batchv1.JobComplete)
	if about("spareNodeRole") == 0 {
		t.Error("the report does not have the new role")
	}
	proxy.SetFault("eks:ListNodegroups", denied("eks:ListNodegroups"))
	d.job("noderole-check", "partial", nil)
	d.await("partial", batchv1.JobComplete)
	proxy.ClearFault("eks:ListNodegroups")
	if r := d.reports()["shop"]; r.Summary.Error == 0 || r.Metadata.Labels["noderole.dev/complete"] != "false" {
		t.Errorf("the report of an incomplete run: %+v, labels %v", r.Summary, r.Metadata.Labels)
	}
	if !strings.Contains(d.ok("get", "clusterreports", "-l", "noderole.dev/complete=false", "-o", "json"), "a finding of an earlier report that is not in this one is not known to be repaired") {
		t.Error("the report of an incomplete run does not say that findings may be missing")
	}
	d.scrape(read)
	_, err = s.eks.DeleteNodegroup(s.ctx, &eks.DeleteNodegroupInput{ClusterName: &s.cluster, NodegroupName: aws.String("spare")})
	s.must(err)
	delete(s.proxied.AccessEntries, roleARN("spareNodeRole"))
	s.apply()
	d.job("noderole-check", "gone", nil)
	d.await("gone", batchv1.JobComplete)
	if n := about("spareNodeRole"); n != 0 || d.reports()["shop"].Summary.Error != 0 {
		t.Errorf("the report has %d results of a role that is gone", n)
	}
	if labels := d.reports()["shop"].Metadata.Labels; labels["noderole.dev/complete"] != "true" {
		t.Errorf("the labels of the complete run: %v", labels)
	}

	// Installing again leaves the metrics as they are.
	d.ok("apply", "--server-side", "--force-conflicts", "-k", filepath.Join("..", "..", "deploy", "example")) // the schedule is that of the test
	d.scrape(read)

	// A wrong flag fails the job at once.
	d.job("noderole-check", "wrong", func(c *corev1.Container) { c.Args = append(c.Args, "--no-such-flag") })
	d.refused("wrong")

	// A pod that is killed is tried again.
	proxy.SetFault("eks:DescribeCluster", awsproxy.Fault{Hang: true, Times: 1})
	d.job("noderole-check", "killed", nil)
	proxy.AwaitCall("eks:DescribeCluster")
	d.kubelet.kill("killed-")
	if j := d.await("killed", batchv1.JobComplete); j.Status.Failed != 1 {
		t.Errorf("the job whose pod was killed: %+v", j.Status)
	}

	// The report of a cluster with 300 node roles fits into an object.
	large := filepath.Join(t.TempDir(), "large.yaml")
	s.must(os.WriteFile(large, largeCluster(t, 300), 0o600))
	report := kubectl(t, nil, "noderole", "check", "-f", large, "--no-config", "--fail-on", "none", "-o", "openreports")
	if report.code != 0 && report.code != 3 {
		t.Fatalf("the report of the large cluster: exit %d\n%s", report.code, report.stderr)
	}
	file := filepath.Join(t.TempDir(), "report.yaml")
	s.must(os.WriteFile(file, []byte(report.stdout), 0o600))
	d.ok("apply", "--server-side", "-f", file)
	if r := d.reports()["large"]; r.Summary.Fail < 100 || r.Summary.Pass < 3000 || r.Metadata.Annotations["noderole.dev/shortened"] == "" {
		t.Errorf("the report of the large cluster: %+v, %v", r.Summary, r.Metadata.Annotations)
	}
}

// largeCluster is the snapshot of a cluster with many node roles, one in three of which has no
// access to it.
func largeCluster(t *testing.T, roles int) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "healthy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var facts map[string]any
	if err := yaml.Unmarshal(text, &facts); err != nil {
		t.Fatal(err)
	}
	part := func(name string) map[string]any { return facts[name].(map[string]any) } //nolint:forcetypeassert // the example has it
	const node = "arn:aws:iam::111122223333:role/eksNodeRole"
	part("cluster")["arn"] = "arn:aws:eks:eu-west-1:111122223333:cluster/large"
	for i := range roles {
		arn := fmt.Sprintf("%s-%03d", node, i)
		part("roles")[arn] = part("roles")[node]
		part("nodeGroups")[fmt.Sprintf("team-%03d", i)] = map[string]any{"nodeRoleArn": arn, "status": "ACTIVE"}
		if i%3 != 0 {
			part("accessEntries")[arn] = part("accessEntries")[node]
		}
	}
	if text, err = yaml.Marshal(facts); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestDeployFleet installs deploy/fleet-example for two accounts, each of which a pod of the
// Indexed Job reads, and runs its three CronJobs with the real controllers. What runs the
// pods is the stand-in kubelet.
func TestDeployFleet(t *testing.T) {
	s := newScenario(t, "home")
	s.healthy()
	s.remoteCluster()
	folder := t.TempDir()
	example, err := filepath.Abs(filepath.Join("..", "..", "deploy", "fleet-example"))
	s.must(err)
	base, err := filepath.Rel(folder, example)
	s.must(err)
	for name, text := range map[string]string{
		"kustomization.yaml": "resources: [" + filepath.ToSlash(base) + "]\nconfigMapGenerator:\n- {name: noderole-targets, namespace: noderole-fleet, behavior: merge, files: [targets.yaml]}\n",
		"targets.yaml":       "apiVersion: noderole.dev/v1alpha1\nkind: Targets\ninclude:\n- {accounts: [\"" + account + "\", \"" + away + "\"], roleName: NodeRoleReader, regions: [" + region + ", us-east-1]}\n",
	} {
		s.must(os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	d := s.deploy("noderole-fleet", folder)
	fresh := func(c *corev1.Container) {
		c.Args = slices.DeleteFunc(c.Args, func(a string) bool { return strings.HasPrefix(a, "--max-age=") })
	}

	// A pod is killed while it reads. Its index is tried again, and the other one is not.
	proxy.SetFault("eks:DescribeCluster", awsproxy.Fault{Hang: true, Times: 1})
	d.job("noderole-snapshot", "first", nil)
	proxy.AwaitCall("eks:DescribeCluster")
	d.kubelet.kill("first-")
	j := d.await("first", batchv1.JobComplete)
	if j.Status.Failed != 1 || j.Status.Succeeded != 2 || j.Status.CompletedIndexes != "0,1" {
		t.Errorf("the job whose pod was killed: %+v", j.Status)
	}
	d.job("noderole-check", "first-check", nil)
	d.await("first-check", batchv1.JobComplete)
	r := d.reports()
	if got := slices.Sorted(maps.Keys(r)); !slices.Equal(got, []string{"fleet", "home", "remote"}) {
		t.Errorf("the reports are of %v", got)
	}
	if r["home"].Summary.Fail+r["home"].Summary.Error != 0 || r["home"].Summary.Pass == 0 || r["remote"].Summary.Error == 0 {
		t.Errorf("home: %+v, remote: %+v", r["home"].Summary, r["remote"].Summary)
	}
	for _, c := range []string{`account="` + account + `",cluster="home",region="` + region, `account="` + away + `",cluster="remote",region="us-east-1`} {
		d.scrape("noderole_cluster_read{" + c + `"} 1`)
	}

	// The next run reports a fault and fails no pod.
	_, err = s.iam.DetachRolePolicy(s.ctx, &iam.DetachRolePolicyInput{RoleName: aws.String("eksNodeRole"), PolicyArn: aws.String(awsPolicy(pullPolicy))})
	s.must(err)
	d.job("noderole-snapshot", "second", fresh)
	if j := d.await("second", batchv1.JobComplete); j.Status.Failed != 0 {
		t.Errorf("the job of a cluster with findings: %+v", j.Status)
	}
	d.job("noderole-check", "second-check", nil)
	if j := d.await("second-check", batchv1.JobComplete); j.Status.Failed != 0 || d.reports()["home"].Summary.Fail == 0 {
		t.Errorf("the check of a cluster with findings: %+v, %+v", j.Status, d.reports()["home"].Summary)
	}
	d.scrape(`rule="NR202",severity="error",status="fail"} 1`)

	// A report that is not of the fleet stays, whatever is deleted below.
	d.ok("apply", "--server-side", "-f", d.other())

	// The clusters of one region cannot be listed. After such a run no report is deleted.
	refused := denied("eks:ListClusters")
	refused.Times = 1
	proxy.SetFault("eks:ListClusters", refused)
	d.job("noderole-snapshot", "third", fresh)
	if j := d.await("third", batchv1.JobComplete); j.Status.Failed != 0 {
		t.Errorf("the job that cannot list the clusters: %+v", j.Status)
	}
	proxy.ClearFault("eks:ListClusters")
	d.job("noderole-check", "third-check", nil)
	d.await("third-check", batchv1.JobComplete)
	d.job("noderole-prune", "third-prune", nil)
	d.refused("third-prune")
	if got := slices.Sorted(maps.Keys(d.reports())); !slices.Equal(got, []string{"fleet", "home", "other", "remote"}) {
		t.Errorf("after an incomplete run the reports are %v", got)
	}

	// After a complete run, the report of a cluster that is gone is deleted.
	_, err = eks.NewFromConfig(s.inAway()).DeleteCluster(s.ctx, &eks.DeleteClusterInput{Name: aws.String("remote")})
	s.must(err)
	d.job("noderole-snapshot", "fourth", fresh)
	d.await("fourth", batchv1.JobComplete)
	d.job("noderole-check", "fourth-check", nil)
	d.await("fourth-check", batchv1.JobComplete)
	for _, name := range []string{"fourth-prune", "again"} { // the second one has nothing to delete
		d.job("noderole-prune", name, nil)
		d.await(name, batchv1.JobComplete)
		if got := slices.Sorted(maps.Keys(d.reports())); !slices.Equal(got, []string{"fleet", "home", "other"}) {
			t.Errorf("after %s the reports are %v", name, got)
		}
	}

	// A wrong flag fails the job, not only an index.
	d.job("noderole-snapshot", "wrong", func(c *corev1.Container) { c.Args = append(c.Args, "--no-such-flag") })
	d.refused("wrong")
}

// other is a file with the report of a cluster that is not in the fleet.
func (d *deployment) other() string {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "other.yaml")
	d.must(os.WriteFile(file, []byte(`apiVersion: openreports.io/v1alpha1
kind: ClusterReport
metadata:
  name: noderole-other
  labels: {app.kubernetes.io/managed-by: kubectl-noderole, noderole.dev/cluster: other}
source: kubectl-noderole
results: []
`), 0o600))
	return file
}

// TestMonitoring holds that the alerts and the dashboard ask for metrics and labels that
// check -o openmetrics writes, and for nothing else, and that the alerts fire for them.
func TestMonitoring(t *testing.T) {
	dir := t.TempDir()
	plan := "apiVersion: noderole.dev/v1alpha1\nkind: FleetPlan\ntargets:\n"
	// The node role of the first cluster is the cluster role of the second one.
	for name, c := range map[string]struct{ example, region string }{"shop": {"broken.yaml", "eu-west-1"}, "bank": {"healthy.yaml", "us-east-1"}} {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", c.example))
		if err != nil {
			t.Fatal(err)
		}
		arn := "arn:aws:eks:" + c.region + ":111122223333:cluster/" + name
		facts := regexp.MustCompile(`(?m)^  arn: .*$`).ReplaceAllString(string(text), "  arn: "+arn) + "source: {collectedAt: 1970-01-01T00:00:00Z}\n"
		if name == "bank" {
			facts = strings.ReplaceAll(facts, "role/eksClusterRole", "role/eksNodeRole")
			facts = strings.Replace(facts, "roles:\n", "roles:\n", 1)
		}
		plan += "- arn: " + arn + "\n"
		file := filepath.Join(dir, "111122223333", c.region, name+".yaml.gz")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err = io.WriteString(z, facts)
		if err := errors.Join(err, z.Close(), os.WriteFile(file, packed.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	out := kubectl(t, nil, "noderole", "check", "-f", dir, "--no-config", "-o", "openmetrics")
	promtool(t, out.stdout)
	labels := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^(noderole_\w+)\{([^}]*)\}`).FindAllStringSubmatch(out.stdout, -1) {
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[2], -1) {
			labels[m[1]] = append(labels[m[1]], l[1])
		}
	}
	if len(labels) < 6 {
		t.Fatalf("the metrics are %v\n%s%s", labels, out.stdout, out.stderr)
	}
	var alerts struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	folder := filepath.Join("..", "..", "deploy", "monitoring")
	text, err := os.ReadFile(filepath.Join(folder, "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &alerts); err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if text, err = os.ReadFile(filepath.Join(folder, "dashboard.json")); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	asked := map[string]string{}
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			asked["alert "+r.Alert] = r.Expr
			for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(fmt.Sprint(r.Annotations), -1) {
				metric := regexp.MustCompile(`noderole_\w+`).FindString(r.Expr)
				if !slices.Contains(labels[metric], m[1]) {
					t.Errorf("alert %s: %s has no label %s", r.Alert, metric, m[1])
				}
			}
		}
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			asked["panel "+p.Title] = target.Expr
		}
	}
	if len(asked) < 8 {
		t.Fatalf("there are %d questions", len(asked))
	}
	for name, expr := range asked {
		metric := regexp.MustCompile(`noderole_\w+`).FindString(expr)
		if labels[metric] == nil {
			t.Errorf("%s asks for %q, which is no metric: %s", name, metric, expr)
		}
		for _, m := range regexp.MustCompile(`(?:by \(|[{,] ?)(\w+)(?:=|, |\))`).FindAllStringSubmatch(expr, -1) {
			if !slices.Contains(labels[metric], m[1]) {
				t.Errorf("%s: %s has no label %s: %s", name, metric, m[1], expr)
			}
		}
		if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
			t.Errorf("%s: %s", name, expr)
		}
	}
}

// promtool checks the alert rules and the metrics with Prometheus' own tool, and that the
// alerts fire for the metrics: those of findings within a day, and that of old facts after two.
func promtool(t *testing.T, metrics string) {
	t.Helper()
	binary := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "promtool")
	rules, err := filepath.Abs(filepath.Join("..", "..", "deploy", "monitoring", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	run := func(stdin string, args ...string) {
		t.Helper()
		cmd := exec.Command(binary, args...)
		cmd.Stdin = strings.NewReader(stdin)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, text)
		}
	}
	run("", "check", "rules", rules)
	run(metrics, "check", "metrics")

	type series struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	var input []series
	for _, m := range regexp.MustCompile(`(?m)^(noderole_\w+\{[^}]*\}) (\d+)$`).FindAllStringSubmatch(metrics, -1) {
		input = append(input, series{m[1], m[2] + "+0x800"})
	}
	// How many alerts there are is what the table of ALERTS has.
	expr := func(hours int, alert string, firing int) map[string]any {
		samples := []any{}
		if firing > 0 {
			samples = append(samples, map[string]any{"labels": "{}", "value": firing})
		}
		return map[string]any{"eval_time": fmt.Sprintf("%dh", hours), "expr": `count(ALERTS{alertname="` + alert + `", alertstate="firing"})`, "exp_samples": samples}
	}
	// ending is a cluster with an error and a warning that are in the metrics for two hours.
	ending := func(cluster, read, unknown string) []series {
		labels := `cluster="` + cluster + `",account="222222222222",region="us-east-1"`
		return []series{
			{"noderole_cluster_read{" + labels + "}", read},
			{"noderole_cluster_unknown{" + labels + "}", unknown},
			{"noderole_results{" + labels + `,rule="NR201",severity="error",status="fail"}`, "1x24 _x800"},
			{"noderole_results{" + labels + `,rule="NR205",severity="warning",status="fail"}`, "1x24 _x800"},
		}
	}
	// What an alert is about: the labels of a sample up to that of the severity.
	subjects := func(metric, severity string) int {
		seen := map[string]bool{}
		for _, m := range regexp.MustCompile(metric+`\{(.*severity="(?:`+severity+`)")`).FindAllStringSubmatch(metrics, -1) {
			seen[m[1]] = true
		}
		if len(seen) == 0 {
			t.Errorf("no sample of %s has the severity %s", metric, severity)
		}
		return len(seen)
	}
	text, err := yaml.Marshal(map[string]any{
		"rule_files": []string{rules}, "evaluation_interval": "10m",
		"tests": []any{map[string]any{
			"interval": "5m", "input_series": input,
			"promql_expr_test": []any{
				expr(3, "NodeRoleError", subjects("noderole_results", "error")), expr(3, "NodeRoleWarning", 0), expr(30, "NodeRoleWarning", subjects("noderole_results", "warning")),
				expr(3, "NodeRoleAcrossClusters", subjects("noderole_fleet_results", "error|warning")),
				expr(47, "NodeRoleStale", 0), expr(50, "NodeRoleStale", 2), expr(60, "NodeRoleNoResults", 0), expr(60, "NodeRoleClusterNotRead", 0),
			},
		}, map[string]any{
			"interval": "5m", "input_series": []series{{"other", "1+0x800"}},
			"promql_expr_test": []any{expr(50, "NodeRoleNoResults", 1), expr(50, "NodeRoleError", 0)},
		}, map[string]any{
			"interval": "5m", "input_series": []series{{`noderole_cluster_read{cluster="away",account="222222222222",region="us-east-1"}`, "0+0x800"}},
			"promql_expr_test": []any{expr(2, "NodeRoleClusterNotRead", 1), expr(2, "NodeRoleNoResults", 0)},
		}, map[string]any{
			// The findings of three clusters end after two hours: one is repaired, one could not be
			// read in full, one could not be read.
			"interval": "5m", "input_series": slices.Concat(
				ending("repaired", "1x800", "0x800"), ending("partial", "1x800", "0x24 3x800"), ending("unread", "1x24 0x800", "0x24 _x800"),
			),
			"promql_expr_test": []any{
				expr(1, "NodeRoleError", 3), expr(4, "NodeRoleError", 2), expr(48, "NodeRoleError", 2), expr(52, "NodeRoleError", 0),
				expr(30, "NodeRoleWarning", 2), expr(52, "NodeRoleWarning", 0),
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules_test.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run("", "test", "rules", file)
}

// TestStateMachine: Amazon States Language has the state machine of the documentation.
func TestStateMachine(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "in-cluster.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```json\n(.*?)^```$").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/in-cluster.md has no state machine")
	}
	file := filepath.Join(t.TempDir(), "machine.json")
	if err := os.WriteFile(file, block[1], 0o600); err != nil {
		t.Fatal(err)
	}
	out, ok := runTool(t, "node", npmTool(t, "asl-validator", "dist", "bin", "asl-validator.js"), "--json-path", file)
	if !ok || !strings.Contains(out, "is valid") {
		t.Error(out)
	}
}
