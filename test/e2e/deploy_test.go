package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const deployed = "noderole"

// podRunner stands in for the scheduler and the kubelet of pods in the namespace noderole: it
// runs the containers of a pod one after the other as processes of this machine, with the
// volumes as folders and the token of the pod's service account. Images are not pulled: the
// programs are the built plugin and kubectl. AWS's credentials are in the environment, where
// EKS Pod Identity would give them.
type podRunner struct {
	*scenario
	dir string
}

// runPods serves pods until the test ends.
func (s *scenario) runPods() {
	s.t.Helper()
	r := &podRunner{s, s.t.TempDir()}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
			pods, err := s.kube.CoreV1().Pods(deployed).List(s.ctx, metav1.ListOptions{})
			if err != nil {
				s.t.Errorf("list pods: %v", err)
				return
			}
			for i := range pods.Items {
				if p := &pods.Items[i]; p.Status.Phase == corev1.PodPending && p.DeletionTimestamp == nil {
					if err := r.run(p); err != nil {
						s.t.Errorf("pod %s: %v", p.Name, err)
					}
				}
			}
		}
	}()
	s.t.Cleanup(func() {
		close(stop)
		<-done
	})
}

// run runs a pod's containers and writes its status.
func (r *podRunner) run(pod *corev1.Pod) error {
	dir := filepath.Join(r.dir, pod.Name)
	account := filepath.Join(dir, "serviceaccount")
	if err := os.MkdirAll(account, 0o700); err != nil {
		return err
	}
	token := kubectl(r.t, r.kubeconfig(proxy.URL), "create", "token", pod.Spec.ServiceAccountName, "-n", deployed)
	if token.code != 0 {
		return errors.New(token.stderr)
	}
	// What a container would see at a path is in a folder of the pod.
	paths := []string{"/var/run/secrets/kubernetes.io/serviceaccount", account, "https://kubernetes.default.svc", kube.url}
	kubeconfig := ""
	for _, v := range pod.Spec.Volumes {
		folder := filepath.Join(dir, v.Name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		if v.ConfigMap == nil {
			continue
		}
		m, err := r.kube.CoreV1().ConfigMaps(deployed).Get(r.ctx, v.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for name, text := range m.Data {
			kubeconfig = filepath.Join(folder, name)
			if err := os.WriteFile(kubeconfig, []byte(strings.NewReplacer(paths...).Replace(text)), 0o600); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(account, "token"), []byte(strings.TrimSpace(token.stdout)), 0o600),
		os.WriteFile(filepath.Join(account, "ca.crt"), kube.ca, 0o600),
	); err != nil {
		return err
	}

	status := corev1.PodStatus{Phase: corev1.PodSucceeded}
	for _, list := range []struct {
		containers []corev1.Container
		statuses   *[]corev1.ContainerStatus
	}{{pod.Spec.InitContainers, &status.InitContainerStatuses}, {pod.Spec.Containers, &status.ContainerStatuses}} {
		for _, c := range list.containers {
			one := corev1.ContainerStatus{Name: c.Name, Image: c.Image}
			if status.Phase == corev1.PodFailed {
				one.State.Waiting = &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
			} else {
				code, err := r.container(pod, c, dir, kubeconfig, paths)
				if err != nil {
					return err
				}
				one.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: int32(code), FinishedAt: metav1.Now()} //nolint:gosec // an exit code
				if code != 0 {
					status.Phase = corev1.PodFailed
				}
			}
			*list.statuses = append(*list.statuses, one)
		}
	}
	pod.Status = status
	_, err := r.kube.CoreV1().Pods(deployed).UpdateStatus(r.ctx, pod, metav1.UpdateOptions{})
	return err
}

// container runs one container and returns its exit code.
func (r *podRunner) container(pod *corev1.Pod, c corev1.Container, dir, kubeconfig string, paths []string) (int, error) {
	paths = slices.Clone(paths)
	for _, m := range c.VolumeMounts {
		paths = append(paths, m.MountPath+"/", filepath.Join(dir, m.Name)+"/")
	}
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			m, err := r.kube.CoreV1().ConfigMaps(deployed).Get(r.ctx, e.ValueFrom.ConfigMapKeyRef.Name, metav1.GetOptions{})
			if err != nil {
				return 0, err
			}
			value = m.Data[e.ValueFrom.ConfigMapKeyRef.Key]
		}
		paths = append(paths, "$("+e.Name+")", value)
	}
	var args []string
	for _, a := range c.Args {
		args = append(args, strings.NewReplacer(paths...).Replace(a))
	}
	program := filepath.Join(binDir, "kubectl-noderole")
	if strings.HasPrefix(c.Image, "registry.k8s.io/kubectl:") {
		// In a pod, kubectl finds the API server and the token by itself.
		program, args = "kubectl", append(args, "--kubeconfig="+kubeconfig)
	}
	cmd := exec.CommandContext(r.ctx, program, args...)
	cmd.Env = append(baseEnv(), "AWS_ENDPOINT_URL="+proxy.URL)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	r.t.Logf("pod %s, %s %q exits with %d\n%s", pod.Name, c.Name, args, cmd.ProcessState.ExitCode(), out)
	return cmd.ProcessState.ExitCode(), nil
}

// TestDeploy installs deploy/example with kubectl apply -k. The real CronJob and Job
// controllers make the pods, and the API server enforces restricted pod security.
func TestDeploy(t *testing.T) {
	s := newScenario(t, "shop")
	s.healthy()
	env := s.kubeconfig(proxy.URL)
	ok := func(args ...string) string {
		t.Helper()
		return kubectlOK(t, env, args...)
	}
	installOpenReports(t, env)
	example := filepath.Join("..", "..", "deploy", "example")
	t.Cleanup(func() { kubectl(t, env, "delete", "--ignore-not-found", "--wait=false", "-k", example) })
	ok("apply", "--server-side", "--validate=strict", "-k", example)
	ok("apply", "--server-side", "--validate=strict", "-k", example) // again

	if out := kubectl(t, env, "run", "other", "-n", deployed, "--image=busybox"); out.code == 0 || !strings.Contains(out.stderr, "violates PodSecurity") {
		t.Errorf("a pod with other rights is admitted: %s%s", out.stdout, out.stderr)
	}

	binary := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-controller-manager")
	manager, err := start(binary, []string{
		"--kubeconfig=" + s.kubeconfigFile(), "--controllers=cronjob-controller,job-controller",
		"--leader-elect=false", "--secure-port=0", "--cert-dir=" + t.TempDir(),
	})
	if err != nil {
		t.Fatalf("%v; from the project's root: ./hack/e2e-tools.sh", err)
	}
	t.Cleanup(manager.stop)
	s.runPods()

	summary := func() (fail, errorCount int) {
		t.Helper()
		var list struct {
			Items []struct{ Summary struct{ Fail, Error int } }
		}
		if err := json.Unmarshal([]byte(ok("get", "clusterreports", "-o", "json")), &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 1 {
			t.Fatalf("there are %d ClusterReports, not one", len(list.Items))
		}
		return list.Items[0].Summary.Fail, list.Items[0].Summary.Error
	}

	// The CronJob fires, and the report of the healthy cluster is there.
	ok("patch", "cronjob", "noderole-check", "-n", deployed, "-p", `{"spec": {"schedule": "* * * * *"}}`)
	scheduled := ""
	for deadline := time.Now().Add(3 * time.Minute); scheduled == "" && time.Now().Before(deadline); time.Sleep(time.Second) {
		jobs, err := s.kube.BatchV1().Jobs(deployed).List(s.ctx, metav1.ListOptions{})
		s.must(err)
		for _, j := range jobs.Items {
			scheduled = j.Name
		}
	}
	if scheduled == "" {
		t.Fatalf("the CronJob made no Job\n%s", manager.log.String())
	}
	ok("patch", "cronjob", "noderole-check", "-n", deployed, "-p", `{"spec": {"suspend": true}}`)
	ok("wait", "-n", deployed, "--for=condition=Complete", "--timeout=120s", "job/"+scheduled)
	if fail, unknown := summary(); fail != 0 || unknown != 0 {
		t.Errorf("the healthy cluster has %d failures and %d errors", fail, unknown)
	}

	// The next run reports a fault. The finding does not fail the job.
	_, err = s.iam.DetachRolePolicy(s.ctx, &iam.DetachRolePolicyInput{RoleName: aws.String("eksNodeRole"), PolicyArn: aws.String(awsPolicy(pullPolicy))})
	s.must(err)
	ok("create", "job", "-n", deployed, "--from=cronjob/noderole-check", "broken")
	ok("wait", "-n", deployed, "--for=condition=Complete", "--timeout=120s", "job/broken")
	if fail, _ := summary(); fail == 0 {
		t.Error("the report does not have the failure")
	}

	// A wrong flag fails the job at once.
	var job batchv1.Job
	if err := json.Unmarshal([]byte(ok("create", "job", "-n", deployed, "--from=cronjob/noderole-check", "wrong", "--dry-run=client", "-o", "json")), &job); err != nil {
		t.Fatal(err)
	}
	check := &job.Spec.Template.Spec.InitContainers[0]
	check.Args = append(check.Args, "--no-such-flag")
	_, err = s.kube.BatchV1().Jobs(deployed).Create(s.ctx, &job, metav1.CreateOptions{})
	s.must(err)
	ok("wait", "-n", deployed, "--for=condition=Failed", "--timeout=120s", "job/wrong")
	failed, err := s.kube.BatchV1().Jobs(deployed).Get(s.ctx, "wrong", metav1.GetOptions{})
	s.must(err)
	if i := slices.IndexFunc(failed.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobFailed }); failed.Status.Failed != 1 || failed.Status.Conditions[i].Reason != batchv1.JobReasonPodFailurePolicy {
		t.Errorf("the job with a wrong flag failed %d times: %+v", failed.Status.Failed, failed.Status.Conditions)
	}
}

// TestMonitoring holds that the alerts and the dashboard ask for metrics and labels that
// check -o openmetrics writes, and for nothing else.
func TestMonitoring(t *testing.T) {
	out := kubectl(t, nil, "noderole", "check", "--example", "--no-config", "-o", "openmetrics")
	labels := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^(noderole_\w+)\{([^}]*)\}`).FindAllStringSubmatch(out.stdout, -1) {
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[2], -1) {
			labels[m[1]] = append(labels[m[1]], l[1])
		}
	}
	if len(labels) < 4 {
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
