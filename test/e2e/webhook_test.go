package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podIdentityWebhook runs the real amazon-eks-pod-identity-webhook for a test, so
// that pods get the environment that EKS gives them. It knows the associations
// that the proxy has; reload tells it those that the proxy has by then.
func (s *scenario) podIdentityWebhook() (reload func() error) {
	s.t.Helper()
	binary := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "pod-identity-webhook")
	if _, err := os.Stat(binary); err != nil {
		s.t.Fatalf("%v; from the project's root: ./hack/e2e-tools.sh", err)
	}
	var ports [2]int
	for i := range ports {
		port, err := freePort()
		s.must(err)
		ports[i] = port
	}
	associations := filepath.Join(s.t.TempDir(), "associations.json")
	p, err := start(binary, []string{
		"--in-cluster=false", "--kubeconfig=" + s.kubeconfigFile(), "--tls-cert=" + filepath.Join(kube.dir, "server.crt"), "--tls-key=" + filepath.Join(kube.dir, "server.key"),
		fmt.Sprintf("--port=%d", ports[0]), fmt.Sprintf("--metrics-port=%d", ports[1]), "--watch-container-credentials-config=" + associations,
		"--aws-default-region=" + region, "--service-account-lookup-grace-period=2s",
	})
	s.must(err)
	s.t.Cleanup(p.stop)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(kube.ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	url := fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	if err := await(client, url+"/healthz", 20*time.Second); err != nil {
		s.t.Fatalf("%v\n%s", err, p.log.String())
	}
	mutate, ignore, none := url+"/mutate", admissionv1.Ignore, admissionv1.SideEffectClassNone
	_, err = s.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(s.ctx, &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "pod-identity-webhook"},
		Webhooks: []admissionv1.MutatingWebhook{{
			Name: "iam-for-pods.amazonaws.com", FailurePolicy: &ignore, SideEffects: &none, AdmissionReviewVersions: []string{"v1beta1", "v1"},
			ClientConfig: admissionv1.WebhookClientConfig{URL: &mutate, CABundle: kube.ca},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}, metav1.CreateOptions{})
	s.must(err)
	s.t.Cleanup(func() {
		s.must(s.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(s.ctx, "pod-identity-webhook", metav1.DeleteOptions{}))
	})
	reloads := 0
	reload = func() error {
		reloads++
		return s.reload(associations, fmt.Sprintf("probe-%d", reloads))
	}
	if err := reload(); err != nil {
		p.stop()
		s.t.Fatalf("%v\n%s", err, p.log.String())
	}
	return reload
}

// reload writes the proxy's associations into the webhook's file, as EKS's
// control plane does, with one of a service account that is only here. It returns
// when a pod of that one is admitted with Pod Identity's environment: then the API
// server calls the webhook, and the webhook has read the file.
func (s *scenario) reload(file, probe string) error {
	type identity struct {
		Namespace      string `json:"namespace"`
		ServiceAccount string `json:"serviceAccount"`
	}
	identities := []identity{{"kube-system", probe}}
	for _, a := range proxy.Cluster(s.cluster).Associations {
		identities = append(identities, identity{a.Namespace, a.ServiceAccount})
	}
	text, err := json.Marshal(map[string]any{"identities": identities})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	for range 200 {
		time.Sleep(50 * time.Millisecond)
		pod, err := s.kube.CoreV1().Pods("kube-system").Create(s.ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: probe}, Spec: daemonSpec(probe, "probe"),
		}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return err
		}
		if len(pod.Spec.Containers[0].Env) > 0 {
			return nil
		}
	}
	return fmt.Errorf("the webhook does not know the identities %s", text)
}

// kubeconfigFile is the file of an admin's kubeconfig.
func (s *scenario) kubeconfigFile() string {
	s.t.Helper()
	file, _ := strings.CutPrefix(s.kubeconfig(proxy.URL)[0], "KUBECONFIG=")
	return file
}

// bare is a scenario with a role of aws-node's own and no pod of aws-node yet.
func bare(t *testing.T, name string, podIdentity bool) *scenario {
	s := newScenario(t, name)
	s.healthy()
	zero := int64(0)
	s.must(s.kube.CoreV1().Pods("kube-system").DeleteCollection(s.ctx, metav1.DeleteOptions{GracePeriodSeconds: &zero}, metav1.ListOptions{}))
	if podIdentity {
		s.role("eksPodRole", podIdentityTrust(), cniPolicy)
		s.proxied.Associations["a-1"] = associationOf("eksPodRole")
		s.apply()
	}
	return s
}

const firstNode = "ip-10-0-1-17.eu-west-1.compute.internal"

// check runs the plugin and returns what did not pass, and aws-node's line.
func (s *scenario) check() (verdicts []string, awsNode string) {
	s.t.Helper()
	env := s.kubeconfig(proxy.URL)
	r := parseReport(s.t, kubectl(s.t, env, "noderole", "check", "-o", "json"))
	return r.verdicts(), kubectl(s.t, env, "noderole", "check", "-o", "jsonpath={.awsNode.text}").stdout
}

func TestWebhookIRSA(t *testing.T) {
	s := bare(t, "irsa", false)
	s.podIdentityWebhook()
	s.awsNodePod("aws-node-new", firstNode, "")
	verdicts, line := s.check()
	if len(verdicts) > 0 || line != "uses IRSA role eksCNIRole on 1 of 1 nodes" {
		t.Errorf("%v, %s", verdicts, line)
	}
}

// TestWebhookAssociationWins: with annotation and association the pod gets Pod
// Identity's environment and none of IRSA's.
func TestWebhookAssociationWins(t *testing.T) {
	s := bare(t, "association", true)
	s.podIdentityWebhook()
	s.awsNodePod("aws-node-new", firstNode, "")
	verdicts, line := s.check()
	// The webhook does not know whether the agent runs; the report does.
	if diff := cmp.Diff([]string{"NR604 aws-node fail"}, verdicts); diff != "" || line != "uses EKS Pod Identity role eksPodRole on 1 of 1 nodes" {
		t.Errorf("%s\n%s", line, diff)
	}
}

// TestWebhookRestartNeeded: a pod that was admitted before its service account got
// the role still uses the node role. Made anew, as the DaemonSet controller would,
// it uses the role.
func TestWebhookRestartNeeded(t *testing.T) {
	s := bare(t, "restart", false)
	s.awsNodePod("aws-node-old", firstNode, "")
	s.podIdentityWebhook()
	verdicts, line := s.check()
	if diff := cmp.Diff([]string{"NR607 aws-node with node role eksNodeRole fail", "NR602 aws-node fail"}, verdicts); diff != "" || line != "uses IRSA role eksCNIRole on 0 of 1 nodes; 1 still uses the node role" {
		t.Errorf("%s\n%s", line, diff)
	}
	zero := int64(0)
	s.must(s.kube.CoreV1().Pods("kube-system").Delete(s.ctx, "aws-node-old", metav1.DeleteOptions{GracePeriodSeconds: &zero}))
	s.awsNodePod("aws-node-new", firstNode, "")
	if verdicts, line := s.check(); len(verdicts) > 0 {
		t.Errorf("after the restart: %v, %s", verdicts, line)
	}
}

// TestWebhookSkipContainers: a container that the webhook is told to skip stays
// on the node role.
func TestWebhookSkipContainers(t *testing.T) {
	s := bare(t, "skip", false)
	s.podIdentityWebhook()
	_, err := s.kube.CoreV1().Pods("kube-system").Create(s.ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "aws-node-skipped", Labels: map[string]string{"k8s-app": "aws-node"}, Annotations: map[string]string{"eks.amazonaws.com/skip-containers": "aws-node"},
		}, Spec: awsNodeSpec(firstNode),
	}, metav1.CreateOptions{})
	s.must(err)
	verdicts, _ := s.check()
	if diff := cmp.Diff([]string{"NR607 aws-node with node role eksNodeRole fail", "NR602 aws-node fail", "NR605 aws-node fail"}, verdicts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
