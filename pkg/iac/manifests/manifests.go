// Package manifests reads the Kubernetes objects that say which roles nodes and aws-node have:
// node classes of Karpenter and EKS Auto Mode, aws-auth, and the service account of aws-node.
package manifests

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/iac"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/problem"
)

// Object is a Kubernetes object, reduced to what is read of one.
type Object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name        string            `yaml:"name"`
		Namespace   string            `yaml:"namespace"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	Data map[string]string `yaml:"data"`
	Spec Spec              `yaml:"spec"`
	// Line is where its document begins.
	Line int `yaml:"-"`
}

// Spec is the spec of a node class.
type Spec struct {
	Role             string `yaml:"role"`
	InstanceProfile  string `yaml:"instanceProfile"`
	AMIFamily        string `yaml:"amiFamily"`
	AMISelectorTerms []struct {
		Alias string `yaml:"alias"`
	} `yaml:"amiSelectorTerms"`
	MetadataOptions struct {
		HTTPTokens              string `yaml:"httpTokens"`
		HTTPEndpoint            string `yaml:"httpEndpoint"`
		HTTPPutResponseHopLimit int32  `yaml:"httpPutResponseHopLimit"`
	} `yaml:"metadataOptions"`
}

// What an object is about.
type kind int

const (
	other kind = iota
	nodeClass
	awsAuth
	awsNode
)

// kind tells the objects that matter from others.
func (o Object) kind() kind {
	system := func(kind, name string) bool {
		return o.APIVersion == "v1" && o.Kind == kind && o.Metadata.Namespace == "kube-system" && o.Metadata.Name == name
	}
	switch {
	case o.Kind == iac.KarpenterClass && strings.HasPrefix(o.APIVersion, "karpenter.k8s.aws/"), o.Kind == iac.AutoModeClass && strings.HasPrefix(o.APIVersion, "eks.amazonaws.com/"):
		return nodeClass
	case system("ConfigMap", "aws-auth"):
		return awsAuth
	case system("ServiceAccount", "aws-node"):
		return awsNode
	}
	return other
}

// NodeClass reports whether the object is a node class.
func (o Object) NodeClass() bool { return o.kind() == nodeClass }

// Family is the AMI family of a node class: spec.amiFamily, or the one in an alias.
func (o Object) Family() string {
	if o.Spec.AMIFamily != "" || len(o.Spec.AMISelectorTerms) == 0 {
		return o.Spec.AMIFamily
	}
	family, _, _ := strings.Cut(o.Spec.AMISelectorTerms[0].Alias, "@")
	return family
}

// defaultHops are the hop limits that the API server adds to an EC2NodeClass without one, by
// API version. It also adds that tokens are required and that the endpoint is enabled.
// Source: karpenter-provider-aws v1.0.0, pkg/apis/v1/ec2nodeclass.go and
// pkg/apis/v1beta1/ec2nodeclass.go, the defaults of MetadataOptions.
var defaultHops = map[string]int32{"karpenter.k8s.aws/v1": 1, "karpenter.k8s.aws/v1beta1": 2}

// metadata are the options of the instance metadata service that the class has; nil for EKS
// Auto Mode, whose classes have none.
func (o Object) metadata() *iac.Metadata {
	if o.Kind != iac.KarpenterClass {
		return nil
	}
	set := o.Spec.MetadataOptions
	if hops, known := defaultHops[o.APIVersion]; known {
		set.HTTPTokens, set.HTTPEndpoint = cmp.Or(set.HTTPTokens, "required"), cmp.Or(set.HTTPEndpoint, "enabled")
		set.HTTPPutResponseHopLimit = cmp.Or(set.HTTPPutResponseHopLimit, hops)
	}
	m := &iac.Metadata{Tokens: iac.Text(set.HTTPTokens), Endpoint: iac.Text(set.HTTPEndpoint)}
	if set.HTTPPutResponseHopLimit > 0 {
		m.HopLimit = iac.Text(strconv.Itoa(int(set.HTTPPutResponseHopLimit)))
	}
	return m
}

// roleAnnotation is the annotation by which a service account gets an IRSA role.
const roleAnnotation = "eks.amazonaws.com/role-arn"

// Add adds the object to the code, if it is one that matters. The cluster is the zero Value
// where the code has only one.
func (o Object) Add(code *iac.Code, d iac.Declared, cluster iac.Value) {
	switch o.kind() {
	case nodeClass:
		code.NodeClasses = append(code.NodeClasses, iac.NodeClass{
			Declared: d, Kind: o.Kind, Name: o.Metadata.Name, Cluster: cluster,
			Role: iac.Text(o.Spec.Role), Profile: iac.Text(o.Spec.InstanceProfile), AMIFamily: o.Family(), Metadata: o.metadata(),
		})
	case awsAuth:
		code.AWSAuths = append(code.AWSAuths, iac.AWSAuth{Declared: d, Cluster: cluster, MapRoles: iac.Text(o.Data["mapRoles"])})
	case awsNode:
		code.ServiceAccounts = append(code.ServiceAccounts, iac.ServiceAccount{Declared: d, Cluster: cluster, Role: iac.Text(o.Metadata.Annotations[roleAnnotation])})
	case other:
	}
}

// Parse returns the objects in a text of YAML or JSON documents, and those in its lists. A
// document that is no object is left out, and so is an object that does not matter and has
// values of other types; one that matters is an error.
func Parse(text []byte) ([]Object, error) {
	file, err := files.YAML(text)
	if err != nil {
		return nil, err
	}
	var objects []Object
	for _, doc := range file.Docs {
		if objects, err = appendObjects(objects, doc.Body); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

func appendObjects(objects []Object, body ast.Node) ([]Object, error) {
	if body == nil || body.Type() != ast.MappingType && body.Type() != ast.MappingValueType {
		return objects, nil
	}
	line := 0
	if token := body.GetToken(); token != nil {
		line = token.Position.Line
	}
	o := Object{}
	err := yaml.NodeToValue(body, &o)
	o.Line = line
	switch {
	case o.APIVersion == "v1" && o.Kind == "List": // as kubectl get -o yaml writes it
		for _, item := range items(body) {
			if objects, err = appendObjects(objects, item); err != nil {
				return nil, err
			}
		}
		return objects, nil
	case err == nil:
		return append(objects, o), nil
	case o.kind() != other:
		first, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
		return nil, fmt.Errorf("%s %s in line %d: %s", o.Kind, o.Metadata.Name, line, first)
	}
	return objects, nil
}

// items are the objects in a list.
func items(list ast.Node) []ast.Node {
	mapping, ok := list.(ast.MapNode)
	if !ok {
		return nil
	}
	for entries := mapping.MapRange(); entries.Next(); {
		if sequence, ok := entries.Value().(*ast.SequenceNode); ok && entries.Key().GetToken().Value == "items" {
			return sequence.Values
		}
	}
	return nil
}

// extensions are those of the files that are read.
var extensions = []string{".yaml", ".yml", ".json"}

// Read adds the objects in the YAML and JSON files of a folder, and of the folders in it, to
// the code. A symbolic link to a file is followed, and that to a folder only where it is dir.
// A folder without such files is an error. Its errors are *problem.Error.
func Read(code *iac.Code, dir string, cluster iac.Value) error {
	code.Kubernetes = true
	read := 0
	root, err := filepath.EvalSymlinks(dir)
	if err == nil {
		err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && name != root && strings.HasPrefix(entry.Name(), "."):
				return filepath.SkipDir
			case !slices.Contains(extensions, filepath.Ext(name)):
				return nil
			}
			if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
				return err
			}
			read++
			return readFile(code, filepath.Join(dir, strings.TrimPrefix(name, root)), cluster)
		})
	}
	var p *problem.Error
	switch {
	case err != nil && !errors.As(err, &p):
		return &problem.Error{Problem: fmt.Sprintf("the manifests cannot be read: %s", err), Next: "give a folder with manifests: --manifests DIR"}
	case err == nil && read == 0:
		return &problem.Error{Problem: fmt.Sprintf("%s has no manifests: no file there ends with %s", dir, strings.Join(extensions, ", ")), Next: "give a folder with manifests: --manifests DIR"}
	}
	return err
}

func readFile(code *iac.Code, name string, cluster iac.Value) error {
	bad := func(err error) error {
		line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
		return &problem.Error{
			Problem: fmt.Sprintf("%s is not a manifest: %s", name, line),
			Next:    "give manifests as kubectl takes them: helm template, or kubectl kustomize, writes them",
		}
	}
	text, err := files.Read(context.Background(), name, nil, files.MaxConfig) // a regular file
	if err != nil {
		return bad(err)
	}
	objects, err := Parse(text)
	if err != nil {
		return bad(err)
	}
	for _, o := range objects {
		o.Add(code, iac.Declared{Address: o.Kind + "/" + o.Metadata.Name, File: filepath.ToSlash(name), Line: o.Line}, cluster)
	}
	return nil
}
