package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/kubectl-noderole/kubectl-noderole/test/e2e/awsproxy"
)

// rollouts gives the DaemonSets of kube-system pods that a rollout replaces, until
// the test ends. Call it when the nodes, the DaemonSet and what the proxy says of
// the cluster are made; it returns when a pod of each DaemonSet runs on every node:
//
//	s := newScenario(t, "name")
//	s.healthy() // or s.node, s.awsNode and others
//	s.rollouts()
//	kubectl(t, s.kubeconfig(proxy.URL), "rollout", "restart", "daemonset/aws-node", "-n", "kube-system")
//
// It first takes away the pods of kube-system that were made by hand; make none
// after it. Associations and add-ons that change later have to change through the
// proxy's URL: the scenario's apply reaches no pod.
//
// Real are the API server, the controller of DaemonSets and the garbage collector
// (kube-controller-manager), and the Pod Identity webhook. Scheduler and kubelets
// are stood in for by kubelets, EKS's control plane by controlPlane.
func (s *scenario) rollouts() {
	s.t.Helper()
	now := int64(0)
	s.must(s.kube.CoreV1().Pods("kube-system").DeleteCollection(s.ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}))
	s.t.Cleanup(func() {
		s.must(s.kube.AppsV1().ControllerRevisions("kube-system").DeleteCollection(s.ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	})
	s.controlPlane(s.podIdentityWebhook())
	s.kubelets()
	s.controllerManager()
}

// controllerManager runs kube-controller-manager with the controllers that make
// and delete the pods of DaemonSets, and waits for the pods.
func (s *scenario) controllerManager() {
	s.t.Helper()
	binary := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-controller-manager")
	if _, err := os.Stat(binary); err != nil {
		s.t.Fatalf("%v; from the project's root: ./hack/e2e-tools.sh", err)
	}
	p, err := start(binary, []string{
		"--kubeconfig=" + s.kubeconfigFile(), "--controllers=daemonset-controller,garbage-collector-controller",
		"--leader-elect=false", "--secure-port=0", "--cert-dir=" + s.t.TempDir(),
	})
	s.must(err)
	s.t.Cleanup(p.stop)
	waiting := ""
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		list, err := s.kube.AppsV1().DaemonSets("kube-system").List(s.ctx, metav1.ListOptions{})
		s.must(err)
		waiting = ""
		for _, d := range list.Items {
			if now := d.Status; now.ObservedGeneration < d.Generation || now.NumberAvailable < now.DesiredNumberScheduled {
				waiting += fmt.Sprintf("DaemonSet %s: %d of %d pods are available\n", d.Name, now.NumberAvailable, now.DesiredNumberScheduled)
			}
		}
		if waiting == "" {
			return
		}
	}
	p.stop()
	s.t.Fatalf("%s%s", waiting, p.log.String())
}

// kubelets stands in for the scheduler and for the kubelet of every node: a pod
// of a DaemonSet gets the node that its affinity names, runs and is ready at
// once, and is gone at once when it is to be deleted. No container runs.
func (s *scenario) kubelets() {
	s.t.Helper()
	factory := informers.NewSharedInformerFactoryWithOptions(s.kube, 0, informers.WithNamespace("kube-system"))
	serve := func(object any) {
		pod := object.(*corev1.Pod)
		if err := s.serve(pod); err != nil {
			s.t.Errorf("pod %s: %v", pod.Name, err)
		}
	}
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: serve, UpdateFunc: func(_, object any) { serve(object) },
	})
	s.must(err)
	ctx, cancel := context.WithCancel(s.ctx)
	factory.Start(ctx.Done())
	s.t.Cleanup(func() {
		cancel()
		factory.Shutdown()
	})
}

// serve does what is next for a pod. A pod that changed meanwhile comes again.
func (s *scenario) serve(pod *corev1.Pod) (err error) {
	pods := s.kube.CoreV1().Pods(pod.Namespace)
	now := int64(0)
	switch {
	case metav1.GetControllerOf(pod) == nil:
		return nil
	case pod.DeletionTimestamp != nil:
		err = pods.Delete(s.ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID}})
	case pod.Spec.NodeName == "":
		err = pods.Bind(s.ctx, &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, UID: pod.UID}, Target: corev1.ObjectReference{Kind: "Node", Name: wantedNode(pod)},
		}, metav1.CreateOptions{})
	case pod.Status.Phase == corev1.PodPending:
		pod = pod.DeepCopy()
		runs(&pod.Status, pod.Spec.Containers)
		_, err = pods.UpdateStatus(s.ctx, pod, metav1.UpdateOptions{})
	}
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// wantedNode is the node that the DaemonSet controller made a pod for.
func wantedNode(pod *corev1.Pod) string {
	for _, term := range pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == metav1.ObjectNameField {
				return field.Values[0]
			}
		}
	}
	return ""
}

// runs makes the status one of a pod whose containers run.
func runs(status *corev1.PodStatus, containers []corev1.Container) {
	now, yes := metav1.Now(), true
	status.Phase, status.StartTime = corev1.PodRunning, &now
	for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	for _, c := range containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true, Started: &yes,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
}

// controlPlane does in the cluster what EKS does there when add-ons and
// associations change, before the proxy answers the write: the webhook knows the
// associations, the service account of vpc-cni has the add-on's role, and the
// add-on eks-pod-identity-agent has its DaemonSet. EKS restarts no pod of vpc-cni
// for a new role.
// Source: https://github.com/aws/amazon-vpc-cni-k8s/issues/1338
func (s *scenario) controlPlane(webhook func() error) {
	s.t.Helper()
	var mu sync.Mutex
	before := proxy.Cluster(s.cluster).Addons
	s.must(s.agent(nil, before))
	proxy.SetOnChange(func(cluster, operation string) {
		if cluster != s.cluster {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		now := proxy.Cluster(cluster).Addons
		err := webhook()
		if strings.HasSuffix(operation, "Addon") {
			err = errors.Join(err, s.agent(before, now), s.annotate(before["vpc-cni"], now["vpc-cni"]))
		}
		if err != nil {
			s.t.Errorf("after %s: %v", operation, err)
		}
		before = now
	})
	s.t.Cleanup(func() { proxy.SetOnChange(nil) })
}

// agent makes the DaemonSet of the EKS Pod Identity Agent when the add-on comes,
// unless it is there, and deletes it when the add-on goes.
func (s *scenario) agent(before, now map[string]awsproxy.Addon) error {
	const name = "eks-pod-identity-agent"
	_, was := before[name]
	_, is := now[name]
	switch {
	case was == is:
		return nil
	case was:
		return s.kube.AppsV1().DaemonSets("kube-system").Delete(s.ctx, name, metav1.DeleteOptions{})
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := s.kube.CoreV1().ServiceAccounts("kube-system").Create(s.ctx, account, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	spec := daemonSpec(name, "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/eks-pod-identity-agent:v0.1.34")
	_, err = s.kube.AppsV1().DaemonSets("kube-system").Create(s.ctx, daemonSet(name, "app.kubernetes.io/name", spec), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// roleAnnotation names the IRSA role of a service account.
const roleAnnotation = "eks.amazonaws.com/role-arn"

// annotate gives aws-node's service account the role of vpc-cni. EKS uses
// server-side apply: it takes away only what it set, and what somebody else set
// stays, unless it is to be overwritten.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-field-management.html
func (s *scenario) annotate(before, now awsproxy.Addon) error {
	accounts := s.kube.CoreV1().ServiceAccounts("kube-system")
	account, err := accounts.Get(s.ctx, "aws-node", metav1.GetOptions{})
	if err != nil {
		return err
	}
	role, there := now.ServiceAccountRoleARN, account.Annotations[roleAnnotation]
	own := there == before.ServiceAccountRoleARN
	switch {
	case role == there:
		return nil
	case role == "" && own:
		delete(account.Annotations, roleAnnotation)
	case role != "" && (own || there == "" || now.ResolveConflicts == "OVERWRITE"):
		metav1.SetMetaDataAnnotation(&account.ObjectMeta, roleAnnotation, role)
	default:
		return nil
	}
	_, err = accounts.Update(s.ctx, account, metav1.UpdateOptions{})
	return err
}

// awsEKS runs aws eks for the cluster against the proxy.
func (s *scenario) awsEKS(operation string, args ...string) {
	s.t.Helper()
	var answer map[string]any
	env := []string{"AWS_ENDPOINT_URL=" + proxy.URL, "AWS_DEFAULT_REGION=" + region}
	s.aws(&answer, env, append([]string{"eks", operation, "--cluster-name", s.cluster}, args...)...)
}

// kubectl runs kubectl as an admin, and fails the test where it fails.
func (s *scenario) kubectl(args ...string) {
	s.t.Helper()
	if out := kubectl(s.t, s.kubeconfig(proxy.URL), args...); out.code != 0 {
		s.t.Fatalf("kubectl %s: exit %d\n%s%s", strings.Join(args, " "), out.code, out.stdout, out.stderr)
	}
}

// restart replaces the pods of aws-node as its user would, and waits for the new ones.
func (s *scenario) restart() {
	s.t.Helper()
	s.kubectl("rollout", "restart", "daemonset/aws-node", "-n", "kube-system")
	s.kubectl("rollout", "status", "daemonset/aws-node", "-n", "kube-system", "--timeout=60s")
}

// awsNodePods are the names of aws-node's pods, and the credentials that each has
// in its environment by its node.
func (s *scenario) awsNodePods() (names []string, credentials map[string]string) {
	s.t.Helper()
	list, err := s.kube.CoreV1().Pods("kube-system").List(s.ctx, metav1.ListOptions{LabelSelector: "k8s-app=aws-node"})
	s.must(err)
	credentials = map[string]string{}
	for _, pod := range list.Items {
		names = append(names, pod.Name)
		credentials[pod.Spec.NodeName] = "none"
		for _, v := range pod.Spec.Containers[0].Env {
			if v.Name == "AWS_ROLE_ARN" || v.Name == "AWS_CONTAINER_CREDENTIALS_FULL_URI" {
				credentials[pod.Spec.NodeName] = v.Name + " " + v.Value
			}
		}
	}
	return names, credentials
}

const secondNode = "ip-10-0-2-41.eu-west-1.compute.internal"

// TestRollout changes the identity of aws-node in the three ways that there are.
// The pods stay behind until a rollout replaces them.
func TestRollout(t *testing.T) {
	s := newScenario(t, "rollout")
	s.nodeRole("eksNodeRole", workerPolicy, pullPolicy, cniPolicy)
	s.nodeGroup("apps", "eksNodeRole")
	s.grantAccess("eksNodeRole", "EC2_LINUX")
	s.node(firstNode, "i-0aaaaaaaaaaaaaaaa", "apps")
	s.node(secondNode, "i-0bbbbbbbbbbbbbbbb", "apps")
	s.oidcProvider()
	s.role("eksCNIRole", irsaTrust(), cniPolicy)
	s.role("eksPodRole", podIdentityTrust(), cniPolicy)
	s.role("eksAddonRole", irsaTrust(), cniPolicy)
	s.awsNode("")
	s.proxied.Addons["vpc-cni"] = awsproxy.Addon{Version: "v1.20.4-eksbuild.1"}
	s.apply()
	s.rollouts()
	names, credentials := s.awsNodePods()
	if diff := cmp.Diff(map[string]string{firstNode: "none", secondNode: "none"}, credentials); diff != "" {
		t.Fatalf("at first (-want +got):\n%s", diff)
	}
	for _, step := range []struct {
		name   string
		change func()
		// behind and line are what check says of aws-node before and after the
		// rollout; credentials are those of the new pods.
		behind, line, credentials string
		// lost is set where the pods cannot get credentials until the rollout.
		lost string
	}{
		{
			"annotation", func() {
				s.kubectl("annotate", "serviceaccount", "aws-node", "-n", "kube-system", roleAnnotation+"="+roleARN("eksCNIRole"))
			},
			"uses IRSA role eksCNIRole on 0 of 2 nodes; 2 still use the node role",
			"uses IRSA role eksCNIRole on 2 of 2 nodes", "AWS_ROLE_ARN " + roleARN("eksCNIRole"), "",
		},
		{
			"association", func() {
				s.awsEKS("create-addon", "--addon-name", "eks-pod-identity-agent")
				s.kubectl("rollout", "status", "daemonset/eks-pod-identity-agent", "-n", "kube-system", "--timeout=60s")
				s.awsEKS("create-pod-identity-association", "--namespace", "kube-system", "--service-account", "aws-node", "--role-arn", roleARN("eksPodRole"))
			},
			"uses EKS Pod Identity role eksPodRole on 0 of 2 nodes; 2 still use IRSA",
			"uses EKS Pod Identity role eksPodRole on 2 of 2 nodes", "AWS_CONTAINER_CREDENTIALS_FULL_URI http://169.254.170.23/v1/credentials", "",
		},
		{
			"add-on", func() {
				for id := range proxy.Cluster(s.cluster).Associations {
					s.awsEKS("delete-pod-identity-association", "--association-id", id)
				}
				s.awsEKS("update-addon", "--addon-name", "vpc-cni", "--service-account-role-arn", roleARN("eksAddonRole"), "--resolve-conflicts", "OVERWRITE")
			},
			"uses IRSA role eksAddonRole on 0 of 2 nodes; 2 still use EKS Pod Identity",
			"uses IRSA role eksAddonRole on 2 of 2 nodes", "AWS_ROLE_ARN " + roleARN("eksAddonRole"), "NR607 aws-node with EKS Pod Identity fail",
		},
	} {
		step.change()
		sameNames, same := s.awsNodePods()
		if diff := cmp.Diff([]any{names, credentials}, []any{sameNames, same}); diff != "" {
			t.Errorf("%s: pods changed without a rollout (-before +after):\n%s", step.name, diff)
		}
		// The node role still has what aws-node no longer needs of it.
		verdicts, line := s.check()
		want := []string{"NR205 eksNodeRole fail", "NR602 aws-node fail"}
		if step.lost != "" {
			want = []string{step.lost, "NR602 aws-node fail", "NR205 eksNodeRole fail"}
		}
		if diff := cmp.Diff(want, verdicts); diff != "" || line != step.behind {
			t.Errorf("%s, before the rollout: %s\n(-want +got):\n%s", step.name, line, diff)
		}
		s.restart()
		old := names
		names, credentials = s.awsNodePods()
		if slices.ContainsFunc(names, func(name string) bool { return slices.Contains(old, name) }) {
			t.Errorf("%s: of the pods %v some are still there: %v", step.name, old, names)
		}
		if diff := cmp.Diff(map[string]string{firstNode: step.credentials, secondNode: step.credentials}, credentials); diff != "" {
			t.Errorf("%s, the new pods (-want +got):\n%s", step.name, diff)
		}
		verdicts, line = s.check()
		if diff := cmp.Diff([]string{"NR205 eksNodeRole fail"}, verdicts); diff != "" || line != step.line {
			t.Errorf("%s, after the rollout: %s\n(-want +got):\n%s", step.name, line, diff)
		}
	}
	s.awsEKS("delete-addon", "--addon-name", "eks-pod-identity-agent")
	s.kubectl("wait", "--for=delete", "pods", "-l", "app.kubernetes.io/name=eks-pod-identity-agent", "-n", "kube-system", "--timeout=60s")
}

// TestAddonRole: the service account follows the add-on, but for what somebody
// else wrote.
func TestAddonRole(t *testing.T) {
	s := newScenario(t, "addon")
	s.healthy()
	s.rollouts()
	if verdicts, line := s.check(); len(verdicts) > 0 || line != "uses IRSA role eksCNIRole on 1 of 1 nodes" {
		t.Errorf("at first: %v, %s", verdicts, line)
	}
	for _, step := range []struct {
		name string
		args []string
		// annotated is what a user writes first.
		annotated, want string
	}{
		{"another role", []string{"--service-account-role-arn", roleARN("second"), "--resolve-conflicts", "PRESERVE"}, "", roleARN("second")},
		{"a user's is kept", []string{"--service-account-role-arn", roleARN("third"), "--resolve-conflicts", "PRESERVE"}, roleARN("users"), roleARN("users")},
		{"a user's is overwritten", []string{"--service-account-role-arn", roleARN("third"), "--resolve-conflicts", "OVERWRITE"}, "", roleARN("third")},
		{"no role", nil, "", ""},
		{"no role, a user's is kept", []string{"--resolve-conflicts", "OVERWRITE"}, roleARN("users"), roleARN("users")},
	} {
		if step.annotated != "" {
			s.kubectl("annotate", "--overwrite", "serviceaccount", "aws-node", "-n", "kube-system", roleAnnotation+"="+step.annotated)
		}
		s.awsEKS("update-addon", append([]string{"--addon-name", "vpc-cni"}, step.args...)...)
		account, err := s.kube.CoreV1().ServiceAccounts("kube-system").Get(s.ctx, "aws-node", metav1.GetOptions{})
		s.must(err)
		if got := account.Annotations[roleAnnotation]; got != step.want {
			t.Errorf("%s: %q, not %q", step.name, got, step.want)
		}
	}
}
