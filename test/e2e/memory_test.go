package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestMemory: a cluster of 5,000 nodes and as many aws-node pods is judged in less
// than 200 MiB.
func TestMemory(t *testing.T) {
	const nodes, workers, limit = 5000, 16, 200 << 10 // KiB
	s := newScenario(t, "large")
	s.healthy()
	failed := make(chan error, workers)
	for w := range workers {
		go func() {
			for i := w; i < nodes; i += workers {
				name := fmt.Sprintf("ip-10-%d-%d.eu-west-1.compute.internal", i/250, i%250)
				node := &corev1.Node{
					ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/os": "linux", "eks.amazonaws.com/nodegroup": "apps", "topology.kubernetes.io/zone": region + "a"}},
					Spec:       corev1.NodeSpec{ProviderID: fmt.Sprintf("aws:///%sa/i-%017x", region, i)},
				}
				if _, err := s.kube.CoreV1().Nodes().Create(s.ctx, node, metav1.CreateOptions{}); err != nil {
					failed <- err
					return
				}
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("aws-node-%05d", i), Labels: map[string]string{"k8s-app": "aws-node"}}, Spec: awsNodeSpec(name)}
				pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env,
					corev1.EnvVar{Name: "AWS_ROLE_ARN", Value: roleARN("eksCNIRole")}, corev1.EnvVar{Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: "/token"})
				if _, err := s.kube.CoreV1().Pods("kube-system").Create(s.ctx, pod, metav1.CreateOptions{}); err != nil {
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
	cmd := exec.Command(filepath.Join(binDir, "kubectl-noderole"), "check")
	cmd.Env = append(baseEnv(), s.kubeconfig(proxy.URL)...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "on 5001 of 5001 nodes") {
		t.Fatalf("%v\n%s", err, out)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	t.Logf("peak memory %d MiB", peak>>10)
	if peak > limit {
		t.Errorf("peak memory %d MiB", peak>>10)
	}
}
