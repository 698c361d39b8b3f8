package diff

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/iampolicy"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/snapshot"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// awsNode compares what gives aws-node its identity, and its settings.
func (f *factParts) awsNode() {
	addTable(f, table[snapshot.Addon]{
		kind: KindAddon, fact: snapshot.FactAddons,
		of:    func(s *snapshot.Snapshot) *map[string]snapshot.Addon { return &s.Addons },
		about: func(a snapshot.Addon) string { return "version " + text.OrNone(a.Version) },
		fields: []field[snapshot.Addon]{
			single("version", func(a *snapshot.Addon) *string { return &a.Version }),
			single("status", func(a *snapshot.Addon) *string { return &a.Status }),
			single("IRSA role", func(a *snapshot.Addon) *string { return &a.ServiceAccountRoleARN }),
			set("Pod Identity associations", func(a *snapshot.Addon) *[]string { return &a.PodIdentityAssociations }),
			health(func(a *snapshot.Addon) *[]snapshot.HealthIssue { return &a.Health }),
		},
	})
	type association = snapshot.PodIdentityAssociation
	associations := func(s *snapshot.Snapshot) *map[string]association { return &s.PodIdentityAssociations }
	addTable(f, table[association]{
		kind: KindAssociation, fact: snapshot.FactPodIdentity, of: associations,
		about: func(a association) string {
			return a.Namespace + "/" + a.ServiceAccount + ", role " + text.OrNone(a.RoleARN)
		},
		fields: []field[association]{
			single("service account", func(a *association) *string { return &a.ServiceAccount }),
			single("namespace", func(a *association) *string { return &a.Namespace }),
			single("role", func(a *association) *string { return &a.RoleARN }),
			single("target role", func(a *association) *string { return &a.TargetRoleARN }),
			single("external ID", func(a *association) *string { return &a.ExternalID }),
			flag("without session tags", func(a *association) *bool { return &a.DisableSessionTags }),
			document("session policy", iampolicy.Identity, func(a *association) *string { return &a.Policy }),
		},
	})
	f.serviceAccount()
	f.daemonSet()
	addTable(f, table[snapshot.PodImages]{
		kind: KindImages, fact: snapshot.FactSystemImages,
		of:    func(s *snapshot.Snapshot) *map[string]snapshot.PodImages { return &s.SystemImages },
		about: func(p snapshot.PodImages) string { return listed(p.Images) },
		fields: []field[snapshot.PodImages]{
			set("images", func(p *snapshot.PodImages) *[]string { return &p.Images }),
			set("image pull secrets", func(p *snapshot.PodImages) *[]string { return &p.PullSecrets }),
			{
				name:   "node selector",
				text:   func(p snapshot.PodImages) string { return pairs(p.NodeSelector) },
				copyTo: func(to *snapshot.PodImages, from snapshot.PodImages) { to.NodeSelector = from.NodeSelector },
			},
		},
	})
}

// pairs are the entries of a map, as a text.
func pairs(m map[string]string) string {
	var lines []string
	for _, k := range text.SortedKeys(m) {
		lines = append(lines, k+"="+m[k])
	}
	return strings.Join(lines, ", ")
}

const awsNodeName = "kube-system/aws-node"

func (f *factParts) serviceAccount() {
	type account = snapshot.ServiceAccount
	of := func(s *snapshot.Snapshot) *map[string]account {
		m := map[string]account{}
		if s.AWSNode.ServiceAccount != nil {
			m[awsNodeName] = *s.AWSNode.ServiceAccount
		}
		return &m
	}
	f.pointed(KindServiceAccount, snapshot.FactServiceAccount, func(s *snapshot.Snapshot) bool { return s.AWSNode.ServiceAccount != nil },
		func(to, from *snapshot.Snapshot) { to.AWSNode.ServiceAccount = from.AWSNode.ServiceAccount })
	if f.older.AWSNode.ServiceAccount == nil || f.newer.AWSNode.ServiceAccount == nil {
		return
	}
	for name, value := range map[string]func(*account) *string{
		"annotation eks.amazonaws.com/role-arn": func(a *account) *string { return &a.RoleARN },
		"annotation eks.amazonaws.com/audience": func(a *account) *string { return &a.Audience },
	} {
		f.setting(KindServiceAccount, awsNodeName, name, snapshot.FactServiceAccount,
			func(s *snapshot.Snapshot) string {
				a := (*of(s))[awsNodeName]
				return *value(&a)
			},
			func(to, from *snapshot.Snapshot) {
				a, b := (*of(to))[awsNodeName], (*of(from))[awsNodeName]
				*value(&a) = *value(&b)
				to.AWSNode.ServiceAccount = &a
			})
	}
}

// pointed compares whether something is there.
func (f *factParts) pointed(kind ObjectKind, fact snapshot.Fact, there func(*snapshot.Snapshot) bool, copyTo func(to, from *snapshot.Snapshot)) {
	if there(f.older) != there(f.newer) {
		f.add(part[*snapshot.Snapshot]{
			kind: kind, name: awsNodeName, needs: []factRef{factOf(fact, "")}, copyTo: copyTo,
			value: func(s *snapshot.Snapshot) (string, bool) { return "", there(s) },
		})
	}
}

func (f *factParts) daemonSet() {
	f.pointed(KindAWSNode, snapshot.FactDaemonSet, func(s *snapshot.Snapshot) bool { return s.AWSNode.DaemonSet != nil },
		func(to, from *snapshot.Snapshot) { to.AWSNode.DaemonSet = from.AWSNode.DaemonSet })
	older, newer := f.older.AWSNode.DaemonSet, f.newer.AWSNode.DaemonSet
	if older == nil || newer == nil {
		return
	}
	add := func(name string, value func(*snapshot.DaemonSet) string, copyTo func(to *snapshot.DaemonSet, from snapshot.DaemonSet)) {
		of := func(s *snapshot.Snapshot) snapshot.DaemonSet {
			if s.AWSNode.DaemonSet == nil {
				return snapshot.DaemonSet{}
			}
			return *s.AWSNode.DaemonSet
		}
		f.setting(KindAWSNode, awsNodeName, name, snapshot.FactDaemonSet,
			func(s *snapshot.Snapshot) string {
				d := of(s)
				return value(&d)
			},
			func(to, from *snapshot.Snapshot) {
				d := of(to)
				copyTo(&d, of(from))
				to.AWSNode.DaemonSet = &d
			})
	}
	add("image", func(d *snapshot.DaemonSet) string { return d.Image }, func(to *snapshot.DaemonSet, from snapshot.DaemonSet) { to.Image = from.Image })
	add("service account", func(d *snapshot.DaemonSet) string { return d.ServiceAccount }, func(to *snapshot.DaemonSet, from snapshot.DaemonSet) { to.ServiceAccount = from.ServiceAccount })
	add("annotation eks.amazonaws.com/skip-containers", func(d *snapshot.DaemonSet) string { return d.SkipContainers }, func(to *snapshot.DaemonSet, from snapshot.DaemonSet) { to.SkipContainers = from.SkipContainers })
	add("environment from", func(d *snapshot.DaemonSet) string { return listed(d.EnvFrom) }, func(to *snapshot.DaemonSet, from snapshot.DaemonSet) { to.EnvFrom = from.EnvFrom })
	for _, name := range keysOf(older.Env, newer.Env) {
		add("variable "+name, func(d *snapshot.DaemonSet) string {
			if v, ok := d.Env[name]; ok {
				return cmp.Or(v, `""`)
			}
			return ""
		}, func(to *snapshot.DaemonSet, from snapshot.DaemonSet) { setKey(&to.Env, from.Env, name) })
	}
}

// nodes compares nodes, their instances, and what runs on each. What is on a node that
// only one side has comes and goes with it.
func (f *factParts) nodes() {
	both := func(name string) bool { return has(f.older.Nodes, name) && has(f.newer.Nodes, name) }
	provisioner := field[snapshot.Node]{
		name: "source",
		text: func(n snapshot.Node) string {
			return strings.TrimSpace(string(n.Provisioner) + " " + n.Owner + " " + n.NodeClass)
		},
		copyTo: func(to *snapshot.Node, from snapshot.Node) {
			to.Provisioner, to.Owner, to.NodeClass, to.KarpenterProvisioner = from.Provisioner, from.Owner, from.NodeClass, from.KarpenterProvisioner
		},
	}
	addTable(f, table[snapshot.Node]{
		kind: KindNode, fact: snapshot.FactNodes, grouped: true,
		of: func(s *snapshot.Snapshot) *map[string]snapshot.Node { return &s.Nodes },
		fields: []field[snapshot.Node]{
			provisioner,
			single("provider ID", func(n *snapshot.Node) *string { return &n.ProviderID }),
			single("OS image", func(n *snapshot.Node) *string { return &n.OSImage }),
			single("network", func(n *snapshot.Node) *string { return &n.Network }),
			flag("Windows", func(n *snapshot.Node) *bool { return &n.Windows }),
			flag("ready", func(n *snapshot.Node) *bool { return &n.Ready }),
		},
		with: copyOnNodes,
	})
	f.instances(both)
	f.pods(both)
	f.events()
}

// copyOnNodes makes what is on nodes, and their instances, as on the other side.
func copyOnNodes(to, from *snapshot.Snapshot, nodes []string) {
	var ids []string
	for _, s := range []*snapshot.Snapshot{to, from} {
		for _, node := range nodes {
			if id := s.Nodes[node].InstanceID(); id != "" {
				ids = append(ids, id)
			}
		}
	}
	setKeys(&to.Instances, from.Instances, ids)
	copyPods(to, from, nodes)
	copyAgent(to, from, nodes)
}

func copyAgent(to, from *snapshot.Snapshot, nodes []string) {
	if to.PodIdentityAgent == nil || from.PodIdentityAgent == nil {
		return // whether there is an agent is a change of its own
	}
	agent := *to.PodIdentityAgent
	setKeys(&agent.Nodes, from.PodIdentityAgent.Nodes, nodes)
	to.PodIdentityAgent = &agent
}

// podsByNode are the pods of aws-node on each node.
func podsByNode(s *snapshot.Snapshot) map[string][]snapshot.Pod {
	pods := map[string][]snapshot.Pod{}
	for _, pod := range s.AWSNode.Pods {
		pods[pod.Node] = append(pods[pod.Node], pod)
	}
	return pods
}

// copyPods makes the pods on nodes as on the other side.
func copyPods(to, from *snapshot.Snapshot, nodes []string) {
	on := map[string]bool{}
	for _, node := range nodes {
		on[node] = true
	}
	changed := cloned(to.AWSNode.Pods)
	maps.DeleteFunc(changed, func(_ string, pod snapshot.Pod) bool { return on[pod.Node] })
	for name, pod := range from.AWSNode.Pods {
		if on[pod.Node] {
			changed[name] = pod
		}
	}
	to.AWSNode.Pods = changed
}

func (f *factParts) instances(both func(node string) bool) {
	ofNode := map[string]bool{} // of a node that one side has
	for _, s := range []*snapshot.Snapshot{f.older, f.newer} {
		for name, n := range s.Nodes {
			if id := n.InstanceID(); id != "" && !both(name) {
				ofNode[id] = true
			}
		}
	}
	type instance = snapshot.Instance
	addTable(f, table[instance]{
		kind: KindInstance, fact: snapshot.FactInstances, grouped: true,
		of:    func(s *snapshot.Snapshot) *map[string]instance { return &s.Instances },
		about: func(i instance) string { return "instance profile " + text.OrNone(i.InstanceProfile) },
		fields: []field[instance]{
			single("state", func(i *instance) *string { return &i.State }),
			single("instance profile", func(i *instance) *string { return &i.InstanceProfile }),
			single("HttpTokens", func(i *instance) *string { return &i.HTTPTokens }),
			single("HttpEndpoint", func(i *instance) *string { return &i.HTTPEndpoint }),
			{
				name: "hop limit",
				text: func(i instance) string {
					if i.HopLimit == 0 {
						return ""
					}
					return text.Count(int(i.HopLimit), "hop")
				},
				copyTo: func(to *instance, from instance) { to.HopLimit = from.HopLimit },
			},
			flag("missing from EC2", func(i *instance) *bool { return &i.NotFound }),
			flag("owned by the cluster", func(i *instance) *bool { return &i.Owned }),
			single("node group", func(i *instance) *string { return &i.NodeGroup }),
			single("node pool", func(i *instance) *string { return &i.NodePool }),
			single("Auto Scaling group", func(i *instance) *string { return &i.AutoScalingGroup }),
		},
		skip: func(id string) bool { return ofNode[id] },
	})
}

// pods compares the pods of aws-node and of the Pod Identity Agent by node: their names
// change with every restart.
func (f *factParts) pods(both func(node string) bool) {
	nodes := map[string]bool{}
	pods := map[*snapshot.Snapshot]map[string][]snapshot.Pod{}
	for _, s := range []*snapshot.Snapshot{f.older, f.newer} {
		pods[s] = podsByNode(s)
		for node := range pods[s] {
			nodes[node] = true
		}
		if s.PodIdentityAgent != nil {
			for name := range s.PodIdentityAgent.Nodes {
				nodes[name] = true
			}
		}
	}
	agent := func(s *snapshot.Snapshot) bool { return s.PodIdentityAgent != nil }
	if agent(f.older) != agent(f.newer) {
		f.add(part[*snapshot.Snapshot]{
			kind: KindAgent, name: "kube-system/eks-pod-identity-agent", needs: []factRef{factOf(snapshot.FactAgent, "")},
			value:  func(s *snapshot.Snapshot) (string, bool) { return "", agent(s) },
			copyTo: func(to, from *snapshot.Snapshot) { to.PodIdentityAgent = from.PodIdentityAgent },
		})
	}
	for _, node := range text.SortedKeys(nodes) {
		if !both(node) && (has(f.older.Nodes, node) || has(f.newer.Nodes, node)) {
			continue // the node itself came or went
		}
		for field, of := range podFields {
			f.add(part[*snapshot.Snapshot]{
				kind: KindPod, name: node, field: field, key: node, needs: []factRef{factOf(snapshot.FactPods, "")},
				value: func(s *snapshot.Snapshot) (string, bool) {
					var values []string
					for _, pod := range pods[s][node] {
						values = append(values, of(pod))
					}
					return listed(values), len(values) > 0
				},
				copyAll: copyPods,
			})
		}
		if agent(f.older) && agent(f.newer) {
			f.add(part[*snapshot.Snapshot]{
				kind: KindAgent, name: node, field: "pod", key: node, needs: []factRef{factOf(snapshot.FactAgent, "")},
				value: func(s *snapshot.Snapshot) (string, bool) {
					if s.PodIdentityAgent == nil {
						return "", false
					}
					ready, ok := s.PodIdentityAgent.Nodes[node]
					return map[bool]string{true: "ready", false: "not ready"}[ready], ok
				},
				copyAll: copyAgent,
			})
		}
	}
}

// podFields are what is compared of a pod of aws-node.
var podFields = map[string]func(snapshot.Pod) string{
	"identity": func(p snapshot.Pod) string {
		kind, role := p.Credentials()
		return strings.TrimSpace(kind + " " + snapshot.NameOf(role))
	},
	"image":           func(p snapshot.Pod) string { return p.Image },
	"ready":           func(p snapshot.Pod) string { return map[bool]string{true: "yes", false: "no"}[p.Ready] },
	"environment":     func(p snapshot.Pod) string { return pairs(p.Env) },
	"service account": func(p snapshot.Pod) string { return strings.TrimSpace(p.ServiceAccount + " " + p.SkipContainers) },
}

// events compares what the cluster reports, by reason, workload and denied action.
func (f *factParts) events() {
	nameOf := func(e snapshot.Event) string {
		return strings.TrimSpace(withoutSuffix(e.Reason+" "+e.Object) + " " + e.DeniedAction())
	}
	names := map[string]bool{}
	for _, s := range []*snapshot.Snapshot{f.older, f.newer} {
		for _, e := range s.Events {
			names[nameOf(e)] = true
		}
	}
	of := func(s *snapshot.Snapshot, name string) []snapshot.Event {
		return slices.DeleteFunc(slices.Clone(s.Events), func(e snapshot.Event) bool { return nameOf(e) != name })
	}
	for _, name := range text.SortedKeys(names) {
		f.add(part[*snapshot.Snapshot]{
			kind: KindEvent, name: name, needs: []factRef{factOf(snapshot.FactEvents, "")},
			value: func(s *snapshot.Snapshot) (string, bool) { return "", len(of(s, name)) > 0 },
			copyTo: func(to, from *snapshot.Snapshot) {
				rest := slices.DeleteFunc(slices.Clone(to.Events), func(e snapshot.Event) bool { return nameOf(e) == name })
				to.Events = append(rest, of(from, name)...)
			},
		})
	}
}
