package collect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/awsauth"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
)

// kubeOperation is how a call of the Kubernetes API is called where none was made or none
// had an answer.
const kubeOperation = "read the Kubernetes API"

func (c *collector) startKube() {
	for _, part := range []struct {
		what, subject string
		read          func(context.Context) error
		// fact is what is missing where there is no API to read it from.
		fact snapshot.Fact
	}{
		{"nodes of", c.cluster, c.readNodes, snapshot.FactNodes},
		{"service account", awsNodeName, c.readServiceAccount, snapshot.FactServiceAccount},
		{"DaemonSet", awsNodeName, c.readDaemonSet, snapshot.FactDaemonSet},
		{"DaemonSet", snapshot.WorkloadKubeProxy, c.readKubeProxy, snapshot.FactSystemImages},
		{"Deployment", snapshot.WorkloadCoreDNS, c.readCoreDNS, snapshot.FactSystemImages},
		{"pods of", awsNodeName, c.readPods, snapshot.FactPods},
		{"ConfigMap", "aws-auth", c.readAWSAuth, snapshot.FactAWSAuth},
		{"DaemonSet", addonPodIdentityAgent, c.readAgent, snapshot.FactAgent},
		{"node classes of", "Karpenter", c.readKarpenterClasses, snapshot.FactNodeClasses},
		{"node classes of", "EKS Auto Mode", c.readAutoModeClasses, snapshot.FactNodeClasses},
		{"events of", c.cluster, c.readEvents, snapshot.FactEvents},
		{"pods of add-ons in", c.cluster, c.readAddonPods, snapshot.FactAddonPods},
	} {
		if c.kube == nil {
			c.note(snapshot.Missing{Fact: part.fact, Operation: kubeOperation, Error: c.withoutKube})
			continue
		}
		c.startOnce(part.what, part.subject, part.read)
	}
}

// missingKube is missing for facts of the Kubernetes API.
func (c *collector) missingKube(fact snapshot.Fact, subject string, err error) error {
	var unusable *problem.Error
	if c.kubeOptional && errors.As(err, &unusable) {
		subject, err = "", &CallError{Operation: kubeOperation, Message: unusable.Problem, Err: err}
	}
	return c.missing(fact, subject, err)
}

// startOnce is start for the Kubernetes API. Its errors do not depend on what AWS has
// answered, and a second attempt would only wait for the API server again.
func (c *collector) startOnce(what, subject string, read func(context.Context) error) {
	once := sync.OnceValue(func() error { return read(c.ctx) })
	c.start(what, subject, func(context.Context) error { return once() })
}

func (c *collector) readAWSAuth(ctx context.Context) error {
	auth, err := c.kube.AWSAuth(ctx)
	c.write(func(s *snapshot.Snapshot) { s.AWSAuth = auth })
	c.readMappedAhead(auth)
	c.startMappedRoles()
	return c.missingKube(snapshot.FactAWSAuth, "", err)
}

func (c *collector) readAgent(ctx context.Context) error {
	agent, err := c.kube.PodIdentityAgent(ctx)
	if err == nil {
		c.write(func(s *snapshot.Snapshot) { s.PodIdentityAgent = agent })
	}
	return c.missingKube(snapshot.FactAgent, "", err)
}

func (c *collector) readEvents(ctx context.Context) error {
	events, err := c.kube.Events(ctx)
	c.write(func(s *snapshot.Snapshot) { s.Events = events })
	for _, event := range events {
		c.startRepository(event.Image())
	}
	return c.missingKube(snapshot.FactEvents, "", err)
}

func (c *collector) readKarpenterClasses(ctx context.Context) error {
	classes, err := c.kube.KarpenterNodeClasses(ctx)
	for _, class := range classes {
		if class.Role != "" {
			c.startProfileQuota() // Karpenter creates an instance profile for the role
		}
	}
	c.startNodeClasses("EC2NodeClass", classes, func(s *snapshot.Snapshot, name string, class snapshot.NodeClass) {
		put(&s.KarpenterNodeClasses, name, class)
	})
	return c.missingKube(snapshot.FactNodeClasses, "karpenter", err)
}

func (c *collector) readKarpenterTemplates(ctx context.Context) error {
	templates, err := c.kube.KarpenterNodeTemplates(ctx)
	c.startNodeClasses("AWSNodeTemplate", templates, func(s *snapshot.Snapshot, name string, template snapshot.NodeClass) {
		put(&s.KarpenterNodeTemplates, name, template)
	})
	return c.missingKube(snapshot.FactNodeClasses, "karpenter", err)
}

func (c *collector) readAutoModeClasses(ctx context.Context) error {
	classes, err := c.kube.AutoModeNodeClasses(ctx)
	c.startNodeClasses("NodeClass", classes, func(s *snapshot.Snapshot, name string, class snapshot.NodeClass) {
		put(&s.AutoModeNodeClasses, name, class)
	})
	return c.missingKube(snapshot.FactNodeClasses, "autoMode", err)
}

// readClusterInstances reads the instances that are the cluster's own, joined or not. It
// reads the profiles of those that no managed node group made, and ahead those that are
// not named as EKS names a node group's profile; see startReplacedProfiles.
func (c *collector) readClusterInstances(ctx context.Context) error {
	err := c.aws.ClusterInstances(ctx, c.cluster, func(id string, instance snapshot.Instance) {
		c.write(func(s *snapshot.Snapshot) { put(&s.Instances, id, instance) })
		switch {
		case instance.NodeGroup == "":
			c.startProfile(instance.InstanceProfile)
		case !strings.HasPrefix(snapshot.NameOf(instance.InstanceProfile), "eks-"):
			c.readProfileAhead(instance.InstanceProfile)
		}
	})
	return c.missing(snapshot.FactInstances, "", err)
}

// readNodes reads the nodes and, a full batch at a time, the EC2 instances of
// those whose role is not known from elsewhere.
func (c *collector) readNodes(ctx context.Context) error {
	var batch []string
	flush := func() {
		if ids := batch; len(ids) > 0 {
			c.start("instances from", ids[0], func(ctx context.Context) error { return c.readInstances(ctx, ids) })
		}
		batch = nil
	}
	err := c.kube.Nodes(ctx, func(name string, node snapshot.Node) {
		c.write(func(s *snapshot.Snapshot) { put(&s.Nodes, name, node) })
		if node.Provisioner == snapshot.ProvisionedByHybrid || node.HyperPod() {
			c.startHybridEntries()
		}
		if node.KarpenterProvisioner {
			c.start("node templates of", "Karpenter", c.readKarpenterTemplates)
		}
		if id := instanceToRead(node); id != "" {
			batch = append(batch, id)
		}
		if len(batch) == InstanceBatch {
			flush()
		}
	})
	flush()
	c.startMappedRoles()
	return c.missingKube(snapshot.FactNodes, "", err)
}

// builtinNodeClass is the NodeClass of Auto Mode's built-in node pools, whose
// nodes hold the cluster's Auto Mode node role.
const builtinNodeClass = "default"

// instanceToRead returns the id of the node's EC2 instance where only the
// instance says which role the node holds, otherwise "".
func instanceToRead(node snapshot.Node) string {
	switch node.Provisioner {
	case snapshot.SelfManaged, snapshot.ProvisionedByKarpenter, snapshot.ProvisionedByUnknown:
		return node.InstanceID()
	case snapshot.ProvisionedByAutoMode:
		if node.NodeClass != builtinNodeClass {
			return node.InstanceID()
		}
	case snapshot.ProvisionedByNodeGroup, snapshot.ProvisionedByFargate, snapshot.ProvisionedByHybrid, snapshot.ProvisionedByHyperPod:
	}
	return ""
}

func (c *collector) readInstances(ctx context.Context, ids []string) error {
	instances, err := c.aws.Instances(ctx, ids)
	c.write(func(s *snapshot.Snapshot) {
		for _, id := range ids {
			instance, found := instances[id]
			switch {
			case found:
				put(&s.Instances, id, instance)
			case err == nil:
				put(&s.Instances, id, snapshot.Instance{NotFound: true})
			}
		}
	})
	for _, instance := range instances {
		c.startProfile(instance.InstanceProfile)
	}
	return c.missing(snapshot.FactInstances, "", err)
}

func (c *collector) readServiceAccount(ctx context.Context) error {
	account, err := c.kube.ServiceAccount(ctx)
	if err != nil {
		return c.missingKube(snapshot.FactServiceAccount, "", err)
	}
	c.write(func(s *snapshot.Snapshot) { s.AWSNode.ServiceAccount = account })
	if account != nil {
		c.startRole(account.RoleARN)
	}
	return nil
}

func (c *collector) readDaemonSet(ctx context.Context) error {
	set, images, err := c.kube.DaemonSet(ctx)
	if err != nil {
		return c.missingKube(snapshot.FactDaemonSet, "", err)
	}
	c.write(func(s *snapshot.Snapshot) {
		s.AWSNode.DaemonSet = set
		put(&s.SystemImages, snapshot.WorkloadAWSNode, images)
	})
	if set != nil {
		c.startRole(set.Env[envRoleARN])
	}
	return nil
}

func (c *collector) readKubeProxy(ctx context.Context) error {
	images, err := c.kube.KubeProxy(ctx)
	return c.putImages(snapshot.WorkloadKubeProxy, images, err)
}

func (c *collector) readCoreDNS(ctx context.Context) error {
	images, err := c.kube.CoreDNS(ctx)
	return c.putImages(snapshot.WorkloadCoreDNS, images, err)
}

func (c *collector) putImages(workload string, images snapshot.PodImages, err error) error {
	if err == nil {
		c.write(func(s *snapshot.Snapshot) { put(&s.SystemImages, workload, images) })
	}
	return c.missingKube(snapshot.FactSystemImages, workload, err)
}

// envRoleARN is the variable by which the admission webhook gives a pod its
// IRSA role.
const envRoleARN = "AWS_ROLE_ARN"

func (c *collector) readPods(ctx context.Context) error {
	err := c.kube.Pods(ctx, func(name string, pod snapshot.Pod) {
		c.write(func(s *snapshot.Snapshot) { put(&s.AWSNode.Pods, name, pod) })
		c.startRole(pod.Env[envRoleARN])
	})
	return c.missingKube(snapshot.FactPods, "", err)
}

// readAutoScaling reads the cluster's Auto Scaling groups, whether or not they have
// instances.
func (c *collector) readAutoScaling(ctx context.Context) error {
	err := c.aws.AutoScalingGroups(ctx, c.cluster, func(name, nodeGroup string, group snapshot.AutoScalingGroup) {
		if nodeGroup != "" {
			c.start("launch template of node group", nodeGroup, func(ctx context.Context) error { return c.readManagedGroup(ctx, nodeGroup, group) })
			return
		}
		if group.Instances == 0 { // else an instance names the profile at the same time
			c.startAhead("instance profiles", "account", func(ctx context.Context) error {
				_, err := c.profilePage(ctx)
				return err
			})
		}
		c.start("Auto Scaling group", name, func(ctx context.Context) error { return c.readGroup(ctx, name, group) })
	})
	if err != nil && !errors.As(err, &c.groupsUnread) {
		return err
	}
	return c.missing(snapshot.FactAutoScaling, "", err)
}

// readGroup follows a group's launch template or launch configuration to its instance
// profile.
func (c *collector) readGroup(ctx context.Context, name string, group snapshot.AutoScalingGroup) error {
	read, from := c.launchTemplate, group.LaunchTemplate
	if group.LaunchConfiguration != "" {
		read, from = c.aws.LaunchConfiguration, group.LaunchConfiguration
	}
	launch, err := read(ctx, from)
	if err == nil {
		group.Metadata = &launch.Metadata
	}
	if err := c.missing(snapshot.FactAutoScaling, name, err); err != nil {
		return err
	}
	profile := launch.InstanceProfile
	if group.Instances == 0 && profile != "" {
		if err := c.readListedProfile(ctx, profile); err != nil {
			return err
		}
	}
	class := snapshot.NodeClass{InstanceProfile: profile}
	if err := c.followProfile(ctx, &class); err != nil {
		return err
	}
	group.InstanceProfile = class.ProfileARN
	c.write(func(s *snapshot.Snapshot) { put(&s.AutoScalingGroups, name, group) })
	return nil
}

func (c *collector) launchTemplate(ctx context.Context, template string) (Launch, error) {
	return c.templates.Get(ctx, template, func(ctx context.Context) (Launch, error) { return c.aws.LaunchTemplate(ctx, template) })
}

// managedGroup is what the Auto Scaling group of a managed node group launches.
type managedGroup struct {
	metadata snapshot.MetadataOptions
	err      *CallError // why the options were not read
}

// readManagedGroup reads the launch template that EKS makes for a managed node group, also
// where the node group has a template of its user: EKS copies it.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html
func (c *collector) readManagedGroup(ctx context.Context, nodeGroup string, group snapshot.AutoScalingGroup) error {
	launch, err := c.launchTemplate(ctx, group.LaunchTemplate)
	managed := managedGroup{metadata: launch.Metadata}
	if err != nil && !errors.As(err, &managed.err) {
		return err
	}
	c.write(func(*snapshot.Snapshot) { put(&c.managed, nodeGroup, managed) })
	return nil
}

// fillManaged gives the node groups what their launch templates set, when all is read. An
// unread template costs no fact where instances run: they have what it sets.
func (c *collector) fillManaged() {
	s := c.snap
	running := map[string]bool{}
	for _, instance := range s.Instances {
		running[instance.NodeGroup] = true
	}
	for name, group := range s.NodeGroups {
		managed, found := c.managed[name]
		unread := managed.err
		if !found {
			unread = c.groupsUnread
		}
		switch {
		case found && unread == nil:
			group.Metadata = &managed.metadata
			s.NodeGroups[name] = group
		case unread != nil && !running[name]:
			s.Missing = append(s.Missing, missingOf(snapshot.FactMetadata, group.NodeRoleARN, unread))
		}
	}
}

// startReplacedProfiles reads the instance profiles that instances of managed node groups
// have and the role of their node group is not in: somebody has replaced them. EKS's own
// profile of a group is known from its role.
func (c *collector) startReplacedProfiles() {
	var replaced []string
	c.write(func(s *snapshot.Snapshot) {
		for _, instance := range s.Instances {
			group, known := s.NodeGroups[instance.NodeGroup]
			if known && !slices.Contains(s.Roles[group.NodeRoleARN].InstanceProfiles, instance.InstanceProfile) {
				replaced = append(replaced, instance.InstanceProfile)
			}
		}
	})
	for _, profile := range replaced {
		c.startProfile(profile)
	}
}

// hybridUsername is the user name that aws-auth maps the role of hybrid nodes to.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-cluster-prep.html
const hybridUsername = "system:node:{{SessionName}}"

// startMappedRoles reads the roles that aws-auth maps as it does those of hybrid nodes,
// where the cluster takes such nodes: they are recognized by what they trust. It is
// called when one of the facts that this depends on is known.
func (c *collector) startMappedRoles() {
	var auth *snapshot.AWSAuth
	c.write(func(s *snapshot.Snapshot) {
		hybrid := len(s.Cluster.RemoteNodeNetworks) > 0
		for _, node := range s.Nodes {
			hybrid = hybrid || node.Provisioner == snapshot.ProvisionedByHybrid
		}
		if hybrid {
			auth = s.AWSAuth
		}
	})
	for _, name := range c.mappedRoles(auth, func(m awsauth.Mapping) bool { return m.Username == hybridUsername }) {
		c.start("mapped role", name, func(ctx context.Context) error {
			class := snapshot.NodeClass{Role: name}
			return c.followRole(ctx, &class)
		})
	}
}

// mappedRoles returns the names of the account's roles that aws-auth maps in a way. A
// mapping has the role's name, but not its path.
func (c *collector) mappedRoles(auth *snapshot.AWSAuth, wanted func(awsauth.Mapping) bool) []string {
	if auth == nil {
		return nil
	}
	var names []string
	mappings, _ := awsauth.Parse(auth.MapRoles) // what is wrong with it is the rules' to say
	for _, m := range mappings {
		a, ok := snapshot.ParseARN(m.RoleARN)
		if ok && wanted(m) && isIAM(a, "role/") && a.Account == c.identity().Account && iamName().MatchString(a.Name()) {
			names = append(names, a.Name())
		}
	}
	return names
}
