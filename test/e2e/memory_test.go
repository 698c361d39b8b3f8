package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// nodes makes nodes first to last of a node group, with a pod of aws-node each.
func (s *scenario) nodes(first, last int) {
	s.t.Helper()
	const workers = 16
	failed := make(chan error, workers)
	for w := range workers {
		go func() {
			for i := first + w; i < last; i += workers {
				if err := s.nodeWithPod(i); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range workers {
		s.must(<-failed)
	}
}

func (s *scenario) nodeWithPod(i int) error {
	name := fmt.Sprintf("ip-10-%d-%d.eu-west-1.compute.internal", i/250, i%250)
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/os": "linux", "eks.amazonaws.com/nodegroup": "apps", "topology.kubernetes.io/zone": region + "a"}},
		Spec:       corev1.NodeSpec{ProviderID: fmt.Sprintf("aws:///%sa/i-%017x", region, i)},
	}
	if _, err := s.kube.CoreV1().Nodes().Create(s.ctx, node, metav1.CreateOptions{}); err != nil {
		return err
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("aws-node-%05d", i), Labels: map[string]string{"k8s-app": "aws-node"}}, Spec: awsNodeSpec(name)}
	pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env,
		corev1.EnvVar{Name: "AWS_ROLE_ARN", Value: roleARN("eksCNIRole")}, corev1.EnvVar{Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: "/token"})
	_, err := s.kube.CoreV1().Pods("kube-system").Create(s.ctx, pod, metav1.CreateOptions{})
	return err
}

// checkNodes runs check, which must judge this many nodes, and returns its peak memory in
// KiB and the time of its CPU.
func (s *scenario) checkNodes(env []string, nodes int) (peak int64, cpu time.Duration) {
	s.t.Helper()
	out, peak, cpu := s.measure(env, filepath.Join(binDir, "kubectl-noderole"), "check")
	if !strings.Contains(out, fmt.Sprintf("on %d of %d nodes", nodes, nodes)) {
		s.t.Fatal(out)
	}
	return peak, cpu
}

// measure runs a program, kubectl or the plugin, that must succeed, and returns what it writes,
// its peak memory in KiB and the time of its CPU.
func (s *scenario) measure(env []string, program string, args ...string) (out string, peak int64, cpu time.Duration) {
	s.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(baseEnv(), env...)
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	s.must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				s.t.Fatalf("%s %v: %v\n%s", program, args, err, text.String())
			}
			if peak == 0 {
				s.t.Fatalf("/proc does not say how much memory %s has used", program)
			}
			return text.String(), peak, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		case <-time.After(2 * time.Millisecond):
			peak = max(peak, peakOf(cmd.Process.Pid))
		}
	}
}

// peakOf is the peak memory of a process in KiB, 0 where it has ended. The system's account
// of a process that has ended does not serve: before it became a program of its own, the
// process had the memory of this test.
func peakOf(pid int) (peak int64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if !strings.HasPrefix(string(status), "Name:\tkubectl") {
		return 0 // not yet
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, _ = fmt.Sscan(value, &peak)
		}
	}
	return peak
}

// TestMemory: a cluster of 5,000 nodes and as many aws-node pods is judged in less
// than 200 MiB.
func TestMemory(t *testing.T) {
	const nodes, limit = 5000, 200 << 10 // KiB
	s := newScenario(t, "large")
	s.healthy()
	s.nodes(0, nodes)
	peak, _ := s.checkNodes(s.kubeconfig(proxy.URL), nodes+1)
	t.Logf("peak memory %d MiB", peak>>10)
	if peak > limit {
		t.Errorf("peak memory %d MiB", peak>>10)
	}
}

// BenchmarkNodes checks clusters of 5,000, 10,000 and 15,000 nodes with as many aws-node
// pods.
func BenchmarkNodes(b *testing.B) {
	s := newScenario(b, "large")
	s.healthy()
	env := s.kubeconfig(proxy.URL)
	for made, nodes := 0, 5000; nodes <= 15000; made, nodes = nodes, nodes+5000 {
		s.nodes(made, nodes)
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			var peak int64
			var cpu time.Duration
			for b.Loop() {
				memory, took := s.checkNodes(env, nodes+1)
				peak, cpu = max(peak, memory), cpu+took
			}
			b.ReportMetric(float64(peak)/1024, "MiB-peak")
			b.ReportMetric(cpu.Seconds()/float64(b.N), "s-cpu/op")
		})
	}
}

// BenchmarkFleetReports runs the commands of deploy/fleet that have the reports of a fleet: of
// 1,000 broken clusters, all of which are then deleted.
func BenchmarkFleetReports(b *testing.B) {
	const clusters = 1000
	s := newScenario(b, "fleet-reports")
	env := s.kubeconfig(proxy.URL)
	installOpenReports(b, env)
	results := b.TempDir()
	s.must(os.Mkdir(filepath.Join(results, "reports"), 0o700))
	report := kubectl(b, nil, "noderole", "check", "--example", "--no-config", "--fail-on", "none", "-o", "openreports").stdout
	name := regexp.MustCompile(`(?m)^  name: .*$`)
	for i := range clusters {
		one := name.ReplaceAllString(report, fmt.Sprintf("  name: noderole-%04d", i))
		s.must(os.WriteFile(filepath.Join(results, "reports", fmt.Sprintf("%04d.yaml", i)), []byte(one), 0o600))
	}
	b.Logf("%d reports of %d KiB", clusters, len(report)>>10)
	for _, step := range fleetSteps(b) {
		for i, arg := range step.Args {
			step.Args[i] = strings.NewReplacer("/results", results, "$(JOB)", "job").Replace(arg)
		}
		b.Run(step.Name, func(b *testing.B) {
			out, peak, cpu := s.measure(env, "kubectl", step.Args...)
			if n := strings.Count(out, "\n"); n < clusters {
				b.Errorf("%d lines for %d reports", n, clusters)
			}
			b.ReportMetric(float64(peak)/1024, "MiB-peak")
			b.ReportMetric(cpu.Seconds(), "s-cpu")
		})
	}
}

// fleetSteps are the containers of deploy/fleet that run kubectl, in their order. Without the
// label of the prune, every report is one of a cluster that is gone.
func fleetSteps(t testing.TB) []corev1.Container {
	t.Helper()
	var steps []corev1.Container
	for _, file := range []string{"check.yaml", "prune.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "fleet", file))
		if err != nil {
			t.Fatal(err)
		}
		var job batchv1.CronJob
		if err := yaml.UnmarshalStrict(text, &job); err != nil {
			t.Fatal(err)
		}
		spec := job.Spec.JobTemplate.Spec.Template.Spec
		for _, c := range append(spec.InitContainers, spec.Containers...) {
			if strings.Contains(c.Image, "/kubectl:") && !strings.Contains(strings.Join(c.Args, " "), "/seen-by=") {
				steps = append(steps, c)
			}
		}
	}
	return steps
}
