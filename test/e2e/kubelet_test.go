package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// kubelet stands in for the scheduler and the kubelet of a namespace's pods: it runs the
// containers of a pod one after the other as processes of this machine, with the volumes as
// folders and a token of the pod's service account. It restarts no container, and nothing of
// the security context is enforced beside what the API server admits. Images are not pulled:
// the programs are the built plugin, kubectl and Debian's node exporter. AWS's credentials and
// region are in the environment, where EKS Pod Identity would give them.
type kubelet struct {
	*scenario
	namespace, dir string
	// exporterURL is where the metrics of the node exporter are.
	exporterURL string

	mu   sync.Mutex
	pods map[types.UID]*runningPod
}

// runningPod is a pod whose containers were started.
type runningPod struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
	// process is the container that runs.
	process *exec.Cmd
}

// runPods serves the pods of a namespace until the test ends.
func (s *scenario) runPods(namespace string) *kubelet {
	s.t.Helper()
	port, err := freePort()
	s.must(err)
	k := &kubelet{
		scenario: s, namespace: namespace, dir: s.t.TempDir(), exporterURL: fmt.Sprintf("http://127.0.0.1:%d/metrics", port),
		pods: map[types.UID]*runningPod{},
	}
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := k.sync(ctx); err != nil && ctx.Err() == nil {
				s.t.Errorf("pods of %s: %v", namespace, err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	s.t.Cleanup(func() {
		cancel()
		<-done
		for _, p := range k.pods {
			p.cancel()
			<-p.done
		}
	})
	return k
}

// sync starts the pods that are new, ends those that are deleted, and brings the ConfigMaps of
// those that run up to date.
func (k *kubelet) sync(ctx context.Context) error {
	list, err := k.kube.CoreV1().Pods(k.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		pod := &list.Items[i]
		k.mu.Lock()
		p := k.pods[pod.UID]
		k.mu.Unlock()
		switch {
		case pod.DeletionTimestamp != nil:
			if p != nil {
				p.cancel()
				<-p.done
			}
			now := int64(0)
			err := k.kube.CoreV1().Pods(k.namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID}})
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				return err
			}
		case p == nil && pod.Status.Phase == corev1.PodPending:
			k.start(ctx, pod)
		case pod.Status.Phase == corev1.PodRunning:
			if err := k.configMaps(ctx, pod); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *kubelet) start(ctx context.Context, pod *corev1.Pod) {
	ctx, cancel := context.WithCancel(ctx)
	p := &runningPod{name: pod.Name, cancel: cancel, done: make(chan struct{})}
	k.mu.Lock()
	k.pods[pod.UID] = p
	k.mu.Unlock()
	go func() {
		defer close(p.done)
		if err := k.run(ctx, p, pod); err != nil && ctx.Err() == nil {
			k.t.Errorf("pod %s: %v", pod.Name, err)
		}
	}()
}

// run runs a pod's containers and writes its status.
func (k *kubelet) run(ctx context.Context, p *runningPod, pod *corev1.Pod) error {
	paths, kubeconfig, err := k.volumes(ctx, pod)
	if err != nil {
		return err
	}
	status := corev1.PodStatus{Phase: corev1.PodSucceeded}
	for _, list := range []struct {
		containers []corev1.Container
		statuses   *[]corev1.ContainerStatus
		main       bool
	}{{pod.Spec.InitContainers, &status.InitContainerStatuses, false}, {pod.Spec.Containers, &status.ContainerStatuses, true}} {
		for i := range list.containers {
			c := &list.containers[i]
			one := corev1.ContainerStatus{Name: c.Name, Image: c.Image}
			if status.Phase == corev1.PodFailed {
				one.State.Waiting = &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
				*list.statuses = append(*list.statuses, one)
				continue
			}
			if list.main {
				running := status
				running.Phase = corev1.PodRunning
				running.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
				if err := k.write(ctx, pod, running); err != nil {
					return err
				}
			}
			code, err := k.container(ctx, p, pod, c, paths, kubeconfig)
			if err != nil {
				return err
			}
			one.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: int32(code), FinishedAt: metav1.Now()} //nolint:gosec // an exit code
			if code != 0 {
				status.Phase = corev1.PodFailed
			}
			*list.statuses = append(*list.statuses, one)
		}
	}
	return k.write(ctx, pod, status)
}

// write writes a pod's status.
func (k *kubelet) write(ctx context.Context, pod *corev1.Pod, status corev1.PodStatus) error {
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = k.kube.CoreV1().Pods(k.namespace).Patch(ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// volumes makes the folders of a pod. paths are what a container sees and what there is
// instead, in pairs; kubeconfig is what kubectl finds in a pod by itself.
func (k *kubelet) volumes(ctx context.Context, pod *corev1.Pod) (paths []string, kubeconfig string, err error) {
	account := k.folder(pod, "serviceaccount")
	token := kubectl(k.t, k.kubeconfig(proxy.URL), "create", "token", pod.Spec.ServiceAccountName, "-n", k.namespace)
	if token.code != 0 && (pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken) {
		return nil, "", errors.New(token.stderr)
	}
	kubeconfig = filepath.Join(account, "kubeconfig")
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "pod",
		"clusters": []any{map[string]any{"name": "pod", "cluster": map[string]any{"server": kube.url, "certificate-authority": filepath.Join(account, "ca.crt")}}},
		"users":    []any{map[string]any{"name": "pod", "user": map[string]any{"tokenFile": filepath.Join(account, "token")}}},
		"contexts": []any{map[string]any{"name": "pod", "context": map[string]any{"cluster": "pod", "user": "pod"}}},
	})
	if err != nil {
		return nil, "", err
	}
	for _, v := range pod.Spec.Volumes {
		if err := os.MkdirAll(k.volume(pod, v), 0o700); err != nil {
			return nil, "", err
		}
	}
	return []string{"/var/run/secrets/kubernetes.io/serviceaccount", account, "https://kubernetes.default.svc", kube.url}, kubeconfig, errors.Join(
		os.MkdirAll(account, 0o700),
		os.WriteFile(filepath.Join(account, "token"), []byte(strings.TrimSpace(token.stdout)), 0o600),
		os.WriteFile(filepath.Join(account, "ca.crt"), kube.ca, 0o600),
		os.WriteFile(kubeconfig, text, 0o600),
		k.configMaps(ctx, pod),
	)
}

// folder is a folder of a pod.
func (k *kubelet) folder(pod *corev1.Pod, name string) string {
	return filepath.Join(k.dir, "pods", string(pod.UID), name)
}

// claim is the folder of a PersistentVolumeClaim.
func (k *kubelet) claim(name string) string { return filepath.Join(k.dir, "claims", name) }

// volume is the folder of a pod's volume; pods share that of a claim.
func (k *kubelet) volume(pod *corev1.Pod, v corev1.Volume) string {
	if v.PersistentVolumeClaim != nil {
		return k.claim(v.PersistentVolumeClaim.ClaimName)
	}
	return k.folder(pod, v.Name)
}

// configMaps writes the files of a pod's ConfigMaps.
func (k *kubelet) configMaps(ctx context.Context, pod *corev1.Pod) error {
	addresses := strings.NewReplacer("/var/run/secrets/kubernetes.io/serviceaccount", k.folder(pod, "serviceaccount"), "https://kubernetes.default.svc", kube.url)
	for _, v := range pod.Spec.Volumes {
		if v.ConfigMap == nil {
			continue
		}
		m, err := k.kube.CoreV1().ConfigMaps(k.namespace).Get(ctx, v.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for name, text := range m.Data {
			if err := os.WriteFile(filepath.Join(k.volume(pod, v), name), []byte(addresses.Replace(text)), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// fieldOfPod matches the paths of a pod's labels and annotations.
var fieldOfPod = regexp.MustCompile(`^metadata\.(labels|annotations)\['([^']+)'\]$`)

// variables returns the environment of a container.
func (k *kubelet) variables(ctx context.Context, pod *corev1.Pod, c *corev1.Container) (map[string]string, error) {
	values := map[string]string{}
	for _, e := range c.Env {
		switch from := e.ValueFrom; {
		case from == nil:
			values[e.Name] = e.Value
		case from.ConfigMapKeyRef != nil:
			m, err := k.kube.CoreV1().ConfigMaps(k.namespace).Get(ctx, from.ConfigMapKeyRef.Name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			values[e.Name] = m.Data[from.ConfigMapKeyRef.Key]
		case from.FieldRef != nil && fieldOfPod.MatchString(from.FieldRef.FieldPath):
			path := fieldOfPod.FindStringSubmatch(from.FieldRef.FieldPath)
			values[e.Name] = map[string]map[string]string{"labels": pod.Labels, "annotations": pod.Annotations}[path[1]][path[2]]
		default:
			return nil, fmt.Errorf("the source of %s is not known here: %+v", e.Name, from)
		}
	}
	return values, nil
}

// container runs one container and returns its exit code.
func (k *kubelet) container(ctx context.Context, p *runningPod, pod *corev1.Pod, c *corev1.Container, paths []string, kubeconfig string) (int, error) {
	mounted := append([]string(nil), paths...)
	byName := map[string]string{}
	for _, v := range pod.Spec.Volumes {
		byName[v.Name] = k.volume(pod, v)
	}
	for _, m := range c.VolumeMounts {
		if m.SubPath == "" {
			mounted = append(mounted, m.MountPath, byName[m.Name])
		}
	}
	for _, m := range c.VolumeMounts {
		if m.SubPath == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(byName[m.Name], m.SubPath))
		if err != nil {
			return 0, err
		}
		if err := os.WriteFile(strings.NewReplacer(mounted...).Replace(m.MountPath), text, 0o600); err != nil {
			return 0, err
		}
	}
	variables, err := k.variables(ctx, pod, c)
	if err != nil {
		return 0, err
	}
	for name, value := range variables {
		mounted = append(mounted, "$("+name+")", value)
	}
	var args []string
	for _, a := range c.Args {
		args = append(args, strings.NewReplacer(mounted...).Replace(a))
	}
	program := ""
	switch image, _, _ := strings.Cut(c.Image, ":"); image {
	case "ghcr.io/kubectl-noderole/kubectl-noderole":
		program = filepath.Join(binDir, "kubectl-noderole")
	case "registry.k8s.io/kubectl":
		program, args = "kubectl", append(args, "--kubeconfig="+kubeconfig)
	case "quay.io/prometheus/node-exporter":
		address := strings.TrimSuffix(strings.TrimPrefix(k.exporterURL, "http://"), "/metrics")
		program, args = filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "prometheus-node-exporter"), append(args, "--web.listen-address="+address)
	default:
		return 0, fmt.Errorf("there is no program for the image %s", c.Image)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(baseEnv(), "AWS_ENDPOINT_URL="+proxy.URL, "AWS_REGION="+k.region)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	k.mu.Lock()
	err = cmd.Start()
	p.process = cmd
	k.mu.Unlock()
	if err != nil {
		return 0, err
	}
	err = cmd.Wait()
	k.mu.Lock()
	p.process = nil
	k.mu.Unlock()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	code := cmd.ProcessState.ExitCode()
	if by, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && by.Signaled() {
		code = 128 + int(by.Signal())
	}
	k.t.Logf("pod %s, %s %q exits with %d\n%s", pod.Name, c.Name, args, code, log.String())
	return code, nil
}

// kill ends the process of a pod whose name begins so, as the kernel does when memory is
// short, and returns the pod's name. It waits until there is only one such pod.
func (k *kubelet) kill(prefix string) string {
	k.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		k.mu.Lock()
		var found []*runningPod
		for _, p := range k.pods {
			if strings.HasPrefix(p.name, prefix) && p.process != nil {
				found = append(found, p)
			}
		}
		if len(found) == 1 {
			k.must(found[0].process.Process.Kill())
			k.mu.Unlock()
			return found[0].name
		}
		k.mu.Unlock()
	}
	k.t.Fatalf("there is not one running pod %s", prefix)
	return ""
}
