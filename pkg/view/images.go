package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// SystemImage is an image that a workload of kube-system runs.
type SystemImage struct {
	snapshot.Image
	// Workload is its name, such as kube-proxy.
	Workload string
	// Reference is how the workload names the image.
	Reference string
	// NotNeeded says where nodes do not pull it with their role; empty where all of them
	// do.
	NotNeeded string
}

// String returns the image as evidence names it.
func (i SystemImage) String() string {
	line := fmt.Sprintf("%s runs %s", i.Workload, i.Reference)
	if i.Private() {
		line += fmt.Sprintf(", from registry %s in %s", i.Registry.Account, i.Registry.Region)
	}
	return line
}

// systemImages is what SystemImages returns.
type systemImages struct {
	images   []SystemImage
	complete bool
	unread   []snapshot.Missing
}

// SystemImages are the images of aws-node, kube-proxy and CoreDNS that are known. They
// are complete where every workload was read; unread says which could not be.
func (v *View) SystemImages() (images []SystemImage, complete bool, unread []snapshot.Missing) {
	if v.images == nil {
		v.images = v.takeImages()
	}
	return v.images.images, v.images.complete, v.images.unread
}

func (v *View) takeImages() *systemImages {
	s := v.Snapshot
	taken := &systemImages{unread: v.Unread(snapshot.FactDaemonSet, snapshot.FactSystemImages)}
	taken.complete = len(taken.unread) == 0
	for _, workload := range snapshot.SystemWorkloads {
		pods, read := s.SystemImages[workload]
		taken.complete = taken.complete && read
		if ds := s.AWSNode.DaemonSet; !read && workload == snapshot.WorkloadAWSNode && ds != nil && ds.Image != "" {
			pods.Images = []string{ds.Image} // of a snapshot that has no more
		}
		notNeeded := v.notNeeded(workload, pods)
		for _, reference := range pods.Images {
			image, ok := snapshot.ParseImage(reference)
			if !ok {
				taken.complete = false
				continue
			}
			taken.images = append(taken.images, SystemImage{Image: image, Workload: workload, Reference: reference, NotNeeded: notNeeded})
		}
	}
	return taken
}

// notNeeded is SystemImage.NotNeeded of a workload's images.
func (v *View) notNeeded(workload string, pods snapshot.PodImages) string {
	selected := selectedLabels(pods)
	switch {
	case len(pods.PullSecrets) > 0:
		return fmt.Sprintf("the imagePullSecrets of %s log in: %s", workload, strings.Join(pods.PullSecrets, ", "))
	case len(selected) > 0:
		return fmt.Sprintf("nodes lack a label that the nodeSelector of %s asks for: %s", workload, strings.Join(selected, ", "))
	case workload == snapshot.WorkloadCoreDNS && v.nodesOfOthers():
		return "CoreDNS runs on nodes of other roles"
	}
	return ""
}

// selectedLabels are the labels that the nodeSelector of a workload asks for, without those
// that say which platform a node is.
func selectedLabels(pods snapshot.PodImages) []string {
	return slices.DeleteFunc(text.SortedKeys(pods.NodeSelector), func(label string) bool {
		return label == "kubernetes.io/os" || label == "kubernetes.io/arch"
	})
}

// nodesOfOthers reports whether the cluster has, or may have, nodes of more than one role.
func (v *View) nodesOfOthers() bool {
	return len(v.roles) != 1 || len(v.Snapshot.FargateProfiles) > 0 || len(v.RolelessNodes()) > 0 ||
		len(v.Unread(snapshot.FactNodes, snapshot.FactNodeGroups, snapshot.FactFargateProfiles, snapshot.FactNodeClasses)) > 0 ||
		len(v.nodesWhere(func(n snapshot.Node) bool {
			return n.Provisioner == snapshot.ProvisionedByHybrid || n.Provisioner == snapshot.ProvisionedByHyperPod
		})) > 0
}

// RunsSystemImages reports whether nodes with the role pull the images of aws-node and
// kube-proxy: EKS Auto Mode's and Windows nodes do not run them.
// Sources: https://docs.aws.amazon.com/eks/latest/userguide/automode.html;
// https://docs.aws.amazon.com/eks/latest/userguide/windows-support.html.
func (v *View) RunsSystemImages(r *NodeRole) bool {
	windows, _ := v.Kinds(r)
	linux := slices.ContainsFunc(v.OSFamilies(r), func(os snapshot.OSFamily) bool { return os != snapshot.WindowsOS }) ||
		slices.ContainsFunc(r.Sources, func(s Source) bool {
			ami := v.Snapshot.NodeGroups[s.Name].AMIType
			return s.Kind == NodeGroup && ami != "" && ami != "CUSTOM" && !strings.HasPrefix(ami, "WINDOWS")
		})
	return !r.OnlyAutoMode() && (!windows || linux)
}

// RunsAgent reports whether nodes with the role can run the EKS Pod Identity Agent: Windows
// nodes do not, unless a pod of it is on one.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html (restrictions).
func (v *View) RunsAgent(r *NodeRole) bool {
	if r.OnlyAutoMode() || v.RunsSystemImages(r) {
		return true
	}
	agent := v.Snapshot.PodIdentityAgent
	return agent != nil && slices.ContainsFunc(r.Nodes, func(name string) bool { return agent.Nodes[name] })
}

// PullOf is what pulling an image from a private registry of ECR calls; nothing for
// another image.
func PullOf(i snapshot.Image) []need.Action {
	if !i.Private() {
		return nil
	}
	return need.PullFrom(i.Registry.Region, i.RepositoryARN())
}
