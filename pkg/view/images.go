package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
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
	text := fmt.Sprintf("%s runs %s", i.Workload, i.Reference)
	if i.Private() {
		text += fmt.Sprintf(", from registry %s in %s", i.Registry.Account, i.Registry.Region)
	}
	return text
}

// SystemImages are the images of aws-node, kube-proxy and CoreDNS that are known. They
// are complete where every workload was read; unread says which could not be.
func (v *View) SystemImages() (images []SystemImage, complete bool, unread []snapshot.Missing) {
	s := v.Snapshot
	unread = v.Unread(snapshot.FactDaemonSet, snapshot.FactSystemImages)
	complete = len(unread) == 0
	for _, workload := range snapshot.SystemWorkloads {
		pods, read := s.SystemImages[workload]
		complete = complete && read
		if ds := s.AWSNode.DaemonSet; !read && workload == snapshot.WorkloadAWSNode && ds != nil && ds.Image != "" {
			pods.Images = []string{ds.Image} // of a snapshot that has no more
		}
		for _, reference := range pods.Images {
			image, ok := snapshot.ParseImage(reference)
			if !ok {
				complete = false
				continue
			}
			images = append(images, SystemImage{Image: image, Workload: workload, Reference: reference, NotNeeded: v.notNeeded(workload, pods)})
		}
	}
	return images, complete, unread
}

// notNeeded is SystemImage.NotNeeded of a workload's images.
func (v *View) notNeeded(workload string, pods snapshot.PodImages) string {
	switch {
	case len(pods.PullSecrets) > 0:
		return fmt.Sprintf("the imagePullSecrets of %s log in: %s", workload, strings.Join(pods.PullSecrets, ", "))
	case workload == snapshot.WorkloadCoreDNS && v.nodesOfOthers():
		return "CoreDNS runs on nodes of other roles"
	}
	return ""
}

// nodesOfOthers reports whether the cluster has, or may have, nodes of more than one role.
func (v *View) nodesOfOthers() bool {
	return len(v.roles) != 1 || len(v.Snapshot.FargateProfiles) > 0 || len(v.RolelessNodes()) > 0 ||
		len(v.Unread(snapshot.FactNodes, snapshot.FactNodeGroups, snapshot.FactFargateProfiles, snapshot.FactNodeClasses)) > 0 ||
		len(v.nodesWhere(func(n snapshot.Node) bool {
			return n.Maker == snapshot.MadeByHybrid || n.Maker == snapshot.MadeByHyperPod
		})) > 0
}

// RunsSystemImages reports whether nodes with the role pull the images of aws-node,
// kube-proxy and CoreDNS: EKS Auto Mode's and Windows nodes run neither DaemonSet.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/windows-support.html;
// https://docs.aws.amazon.com/eks/latest/userguide/eks-add-ons.html.
func (v *View) RunsSystemImages(r *NodeRole) bool {
	windows, _ := v.Kinds(r)
	others := slices.ContainsFunc(v.OSFamilies(r), func(os snapshot.OSFamily) bool { return os != snapshot.WindowsOS })
	return !r.OnlyAutoMode() && (!windows || others)
}

// PullOf is what pulling an image from a private registry of ECR calls; nothing for
// another image.
func PullOf(i snapshot.Image) []need.Action {
	if !i.Private() {
		return nil
	}
	return need.PullFrom(i.Registry.Region, i.RepositoryARN())
}
