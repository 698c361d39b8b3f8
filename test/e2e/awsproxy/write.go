package awsproxy

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Codes of EKS errors.
const (
	inUse            = "ResourceInUseException"
	notFound         = "ResourceNotFoundException"
	invalidParameter = "InvalidParameterException"
	invalidRequest   = "InvalidRequestException"
)

var statuses = map[string]int{
	inUse: http.StatusConflict, notFound: http.StatusNotFound,
	invalidParameter: http.StatusBadRequest, invalidRequest: http.StatusBadRequest,
}

// refusal is an error of EKS.
type refusal struct{ code, message string }

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refused(code, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// clone is a deep copy whose maps can be written to.
func (c Cluster) clone() Cluster {
	c.CA = slices.Clone(c.CA)
	c.Simulated = maps.Clone(c.Simulated)
	c.Updates = copied(c.Updates, func(s string) string { return s })
	c.Addons = copied(c.Addons, func(a Addon) Addon {
		a.Tags = maps.Clone(a.Tags)
		return a
	})
	c.AccessEntries = copied(c.AccessEntries, func(a AccessEntry) AccessEntry {
		a.Groups, a.Policies, a.Tags = slices.Clone(a.Groups), slices.Clone(a.Policies), maps.Clone(a.Tags)
		a.Scopes = copied(a.Scopes, func(s AccessScope) AccessScope {
			s.Namespaces = slices.Clone(s.Namespaces)
			return s
		})
		return a
	})
	c.Associations = copied(c.Associations, func(a Association) Association {
		a.Tags = maps.Clone(a.Tags)
		return a
	})
	return c
}

// copied is never nil.
func copied[V any](m map[string]V, one func(V) V) map[string]V {
	result := make(map[string]V, len(m))
	for k, v := range m {
		result[k] = one(v)
	}
	return result
}

// input is what bodies of writes hold. What may be left out is nil then.
type input struct {
	ClientRequestToken string            `json:"clientRequestToken"`
	Tags               map[string]string `json:"tags"`

	PrincipalARN     string       `json:"principalArn"`
	Type             string       `json:"type"`
	Username         string       `json:"username"`
	KubernetesGroups []string     `json:"kubernetesGroups"`
	PolicyARN        string       `json:"policyArn"`
	AccessScope      *AccessScope `json:"accessScope"`

	AddonName               string             `json:"addonName"`
	AddonVersion            string             `json:"addonVersion"`
	ServiceAccountRoleARN   string             `json:"serviceAccountRoleArn"`
	ResolveConflicts        string             `json:"resolveConflicts"`
	ConfigurationValues     *string            `json:"configurationValues"`
	PodIdentityAssociations []addonAssociation `json:"podIdentityAssociations"`

	Namespace          string  `json:"namespace"`
	ServiceAccount     string  `json:"serviceAccount"`
	RoleARN            string  `json:"roleArn"`
	TargetRoleARN      *string `json:"targetRoleArn"`
	DisableSessionTags *bool   `json:"disableSessionTags"`
}

// addonAssociation is what an add-on is told of a Pod Identity association.
type addonAssociation struct {
	ServiceAccount string `json:"serviceAccount"`
	RoleARN        string `json:"roleArn"`
}

// change is a write under way: on a copy of the cluster, which replaces the
// cluster when the write succeeds.
type change struct {
	view
	input
	// one and two are the things that the path names in the cluster.
	one, two string
	now      time.Time
}

// writes return the answer's body.
var writes = map[string]func(*change) (map[string]any, error){
	"eks:CreateAccessEntry":            (*change).createAccessEntry,
	"eks:UpdateAccessEntry":            (*change).updateAccessEntry,
	"eks:DeleteAccessEntry":            (*change).deleteAccessEntry,
	"eks:AssociateAccessPolicy":        (*change).associateAccessPolicy,
	"eks:DisassociateAccessPolicy":     (*change).disassociateAccessPolicy,
	"eks:CreateAddon":                  (*change).createAddon,
	"eks:UpdateAddon":                  (*change).updateAddon,
	"eks:DeleteAddon":                  (*change).deleteAddon,
	"eks:CreatePodIdentityAssociation": (*change).createAssociation,
	"eks:UpdatePodIdentityAssociation": (*change).updateAssociation,
	"eks:DeletePodIdentityAssociation": (*change).deleteAssociation,
}

// write serves the writes of EKS that moto lacks; false leaves it to others.
func (p *Proxy) write(w http.ResponseWriter, r *http.Request, operation string, body []byte) bool {
	do, ok := writes[operation]
	if !ok {
		return false
	}
	path := segments(r)
	answer, changed, err := p.apply(r, path, body, do)
	var known *refusal
	switch {
	case errors.As(err, &known):
		refuse(w, statuses[known.code], known.code, known.message)
		return true
	case err != nil:
		refuse(w, http.StatusInternalServerError, "ServerException", err.Error())
		return true
	}
	if changed {
		p.changed(path[1], operation)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
	return true
}

// apply carries a write out. A repetition with the same client request token
// changes nothing and has the same answer.
func (p *Proxy) apply(r *http.Request, path []string, body []byte, do func(*change) (map[string]any, error)) (answer []byte, changed bool, err error) {
	c := change{one: at(path, 3), two: at(path, 5), now: time.Now()}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &c.input); err != nil {
			return nil, false, refused(invalidRequest, "the body is not what is expected: %v", err)
		}
	}
	request := r.Method + " " + r.URL.EscapedPath() + " " + string(body)
	p.mu.Lock()
	defer p.mu.Unlock()
	if answer, ok := p.answered[request]; ok {
		return answer, false, nil
	}
	cluster, ok := p.clusters[path[1]]
	if !ok {
		return nil, false, refused(notFound, "No cluster found for name: %s.", path[1])
	}
	region, _ := scope(r)
	c.view = view{Cluster: cluster.clone(), name: path[1], region: region}
	value, err := do(&c)
	if err != nil {
		return nil, false, err
	}
	if answer, err = json.Marshal(value); err != nil {
		return nil, false, err
	}
	p.clusters[path[1]] = c.Cluster
	if c.ClientRequestToken != "" {
		p.answered[request] = answer
	}
	return answer, true, nil
}

// at is a part of a path, or empty.
func at(path []string, i int) string {
	if i < len(path) {
		return path[i]
	}
	return ""
}

// randomHex is an id of n bytes.
func randomHex(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand.Reader, b); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", b), nil
}

// entryType is what EKS makes of an access entry's type.
type entryType struct {
	username string
	groups   []string
	// ownGroups and policies say whether the entry may have them.
	ownGroups, policies bool
}

var entryTypes = map[string]entryType{
	"STANDARD":       {ownGroups: true, policies: true},
	"EC2":            {username: "system:node:{{SessionName}}", policies: true},
	"EC2_LINUX":      {username: "system:node:{{EC2PrivateDNSName}}", groups: []string{"system:nodes"}},
	"EC2_WINDOWS":    {username: "system:node:{{EC2PrivateDNSName}}", groups: []string{"system:nodes", "eks:kube-proxy-windows"}},
	"FARGATE_LINUX":  {username: "system:node:{{SessionName}}", groups: []string{"system:nodes"}},
	"HYBRID_LINUX":   {username: "system:node:{{SessionName}}", groups: []string{"system:nodes"}},
	"HYPERPOD_LINUX": {username: "system:node:{{SessionName}}", groups: []string{"system:nodes"}, policies: true},
}

var principalARN = regexp.MustCompile(`^arn:[^:]+:iam::[0-9]{12}:(root|user/.+|role/.+)$`)

// takesEntries refuses writes of access entries where the cluster has none.
func (c *change) takesEntries() error {
	if c.AuthenticationMode == "CONFIG_MAP" {
		return refused(invalidRequest, "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
	}
	return nil
}

// entry is the access entry that the path names.
func (c *change) entry() (AccessEntry, error) {
	if err := c.takesEntries(); err != nil {
		return AccessEntry{}, err
	}
	entry, ok := c.AccessEntries[c.one]
	if !ok {
		return AccessEntry{}, refused(notFound, "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.")
	}
	return entry, nil
}

func (c *change) createAccessEntry() (map[string]any, error) {
	if err := c.takesEntries(); err != nil {
		return nil, err
	}
	if !principalARN.MatchString(c.PrincipalARN) {
		return nil, refused(invalidParameter, "The specified principalArn is invalid: invalid principal.")
	}
	if _, ok := c.AccessEntries[c.PrincipalARN]; ok {
		return nil, refused(inUse, "The specified access entry resource is already in use on this cluster.")
	}
	if c.Type == "" {
		c.Type = "STANDARD"
	}
	kind, ok := entryTypes[c.Type]
	if !ok {
		return nil, refused(invalidParameter, "The specified type is invalid: %s.", c.Type)
	}
	if len(c.KubernetesGroups) > 0 && !kind.ownGroups {
		return nil, refused(invalidParameter, "The kubernetesGroups cannot be specified for an access entry of type %s.", c.Type)
	}
	entry := AccessEntry{
		Type: c.Type, Username: c.username(kind), Groups: slices.Concat(kind.groups, c.KubernetesGroups),
		Tags: c.Tags, CreatedAt: c.now,
	}
	c.AccessEntries[c.PrincipalARN] = entry
	return map[string]any{"accessEntry": c.accessEntry(c.PrincipalARN, entry)}, nil
}

// username is the one that is asked for or the one that EKS gives.
func (c *change) username(kind entryType) string {
	if c.Username != "" {
		return c.Username
	}
	if kind.username != "" {
		return kind.username
	}
	if _, role, ok := strings.Cut(c.PrincipalARN, ":role/"); ok {
		return "arn:aws:sts::" + account + ":assumed-role/" + role[strings.LastIndex(role, "/")+1:] + "/{{SessionName}}"
	}
	return c.PrincipalARN
}

func (c *change) updateAccessEntry() (map[string]any, error) {
	entry, err := c.entry()
	if err != nil {
		return nil, err
	}
	if len(c.KubernetesGroups) > 0 && !entryTypes[entry.Type].ownGroups {
		return nil, refused(invalidParameter, "The kubernetesGroups cannot be specified for an access entry of type %s.", entry.Type)
	}
	if c.KubernetesGroups != nil && entryTypes[entry.Type].ownGroups {
		entry.Groups = c.KubernetesGroups
	}
	if c.Username != "" {
		entry.Username = c.Username
	}
	c.AccessEntries[c.one] = entry
	return map[string]any{"accessEntry": c.accessEntry(c.one, entry)}, nil
}

func (c *change) deleteAccessEntry() (map[string]any, error) {
	if _, err := c.entry(); err != nil {
		return nil, err
	}
	delete(c.AccessEntries, c.one)
	return map[string]any{}, nil
}

// associateAccessPolicy also changes the scope of a policy that is there.
func (c *change) associateAccessPolicy() (map[string]any, error) {
	entry, err := c.entry()
	if err != nil {
		return nil, err
	}
	if !entryTypes[entry.Type].policies {
		return nil, refused(invalidParameter, "An access policy cannot be associated with an access entry of type %s.", entry.Type)
	}
	if !strings.Contains(c.PolicyARN, ":eks::aws:cluster-access-policy/") {
		return nil, refused(invalidParameter, "The policyArn parameter format is not valid")
	}
	switch scope := c.AccessScope; {
	case scope == nil || scope.Type != "cluster" && scope.Type != "namespace":
		return nil, refused(invalidParameter, "The access scope's type must be cluster or namespace.")
	case (scope.Type == "namespace") != (len(scope.Namespaces) > 0):
		return nil, refused(invalidParameter, "Namespaces must be specified for an access scope of type namespace, and for no other.")
	}
	if !slices.Contains(entry.Policies, c.PolicyARN) {
		entry.Policies = append(entry.Policies, c.PolicyARN)
	}
	entry.Scopes[c.PolicyARN] = *c.AccessScope
	c.AccessEntries[c.one] = entry
	policy := accessPolicy(entry, c.PolicyARN)
	policy["associatedAt"], policy["modifiedAt"] = float64(c.now.Unix()), float64(c.now.Unix())
	return map[string]any{"clusterName": c.name, "principalArn": c.one, "associatedAccessPolicy": policy}, nil
}

func (c *change) disassociateAccessPolicy() (map[string]any, error) {
	entry, err := c.entry()
	if err != nil {
		return nil, err
	}
	i := slices.Index(entry.Policies, c.two)
	if i < 0 {
		return nil, refused(notFound, "The specified policyArn is not associated with the access entry.")
	}
	entry.Policies = slices.Delete(entry.Policies, i, i+1)
	delete(entry.Scopes, c.two)
	c.AccessEntries[c.one] = entry
	return map[string]any{}, nil
}

// addonVersion is that of an add-on which is created without one.
const addonVersion = "v1.20.4-eksbuild.1"

// addonNamespace is where the service accounts of add-ons are.
const addonNamespace = "kube-system"

func (c *change) createAddon() (map[string]any, error) {
	if c.AddonName == "" {
		return nil, refused(invalidParameter, "The add-on's name is missing.")
	}
	if _, ok := c.Addons[c.AddonName]; ok {
		return nil, refused(inUse, "Addon already exists.")
	}
	if c.AddonVersion == "" {
		c.AddonVersion = addonVersion
	}
	addon := Addon{Tags: c.Tags, CreatedAt: c.now}
	if err := c.setAddon(c.AddonName, &addon); err != nil {
		return nil, err
	}
	c.Addons[c.AddonName] = addon
	addon.Status = "CREATING"
	return map[string]any{"addon": c.addon(c.AddonName, addon)}, nil
}

// existingAddon is the add-on that the path names.
func (c *change) existingAddon() (Addon, error) {
	addon, ok := c.Addons[c.one]
	if !ok {
		return Addon{}, refused(notFound, "No addon: %s found in cluster: %s", c.one, c.name)
	}
	return addon, nil
}

func (c *change) updateAddon() (map[string]any, error) {
	addon, err := c.existingAddon()
	if err != nil {
		return nil, err
	}
	if err := c.setAddon(c.one, &addon); err != nil {
		return nil, err
	}
	addon.Status = "UPDATING"
	c.Addons[c.one] = addon
	id, err := randomHex(16)
	if err != nil {
		return nil, err
	}
	c.Updates[id] = c.one
	update := addonUpdate(id)
	update["createdAt"] = float64(c.now.Unix())
	return map[string]any{"update": update}, nil
}

// setAddon gives an add-on what is asked for. Without a role of the service
// account the add-on has none; other things that are left out stay.
func (c *change) setAddon(name string, addon *Addon) error {
	if !slices.Contains([]string{"", "OVERWRITE", "NONE", "PRESERVE"}, c.ResolveConflicts) {
		return refused(invalidParameter, "The value of resolveConflicts is invalid: %s.", c.ResolveConflicts)
	}
	addon.ServiceAccountRoleARN, addon.ResolveConflicts = c.ServiceAccountRoleARN, c.ResolveConflicts
	if c.AddonVersion != "" {
		addon.Version = c.AddonVersion
	}
	if c.ConfigurationValues != nil {
		addon.ConfigurationValues = *c.ConfigurationValues
	}
	if c.PodIdentityAssociations == nil {
		return nil
	}
	return c.setAddonAssociations(AddonARN(c.region, c.name, name))
}

// setAddonAssociations replaces the associations of an add-on. One whose service
// account stays keeps its id.
func (c *change) setAddonAssociations(owner string) error {
	old := map[string]string{}
	for id, a := range c.Associations {
		if a.OwnerARN == owner {
			old[a.ServiceAccount] = id
		}
	}
	for _, wanted := range c.PodIdentityAssociations {
		a := Association{Namespace: addonNamespace, ServiceAccount: wanted.ServiceAccount, RoleARN: wanted.RoleARN, OwnerARN: owner, CreatedAt: c.now}
		id, ok := old[a.ServiceAccount]
		if !ok {
			if _, err := c.addAssociation(a); err != nil {
				return err
			}
			continue
		}
		delete(old, a.ServiceAccount)
		if a.RoleARN == "" {
			return refused(invalidParameter, "The association's role is missing.")
		}
		a.CreatedAt, a.Tags = c.Associations[id].CreatedAt, c.Associations[id].Tags
		c.Associations[id] = a
	}
	for _, id := range old {
		delete(c.Associations, id)
	}
	return nil
}

// deleteAddon takes the add-on's associations away too.
func (c *change) deleteAddon() (map[string]any, error) {
	addon, err := c.existingAddon()
	if err != nil {
		return nil, err
	}
	addon.Status = "DELETING"
	answer := c.addon(c.one, addon)
	owner := AddonARN(c.region, c.name, c.one)
	maps.DeleteFunc(c.Associations, func(_ string, a Association) bool { return a.OwnerARN == owner })
	delete(c.Addons, c.one)
	return map[string]any{"addon": answer}, nil
}

// addAssociation makes an association and returns its id.
func (c *change) addAssociation(a Association) (string, error) {
	if a.Namespace == "" || a.ServiceAccount == "" || a.RoleARN == "" {
		return "", refused(invalidParameter, "The association's namespace, service account or role is missing.")
	}
	for id, other := range c.Associations {
		if other.Namespace == a.Namespace && other.ServiceAccount == a.ServiceAccount {
			return "", refused(inUse, "Association already exists: %s", id)
		}
	}
	random, err := randomHex(9)
	if err != nil {
		return "", err
	}
	c.Associations["a-"+random] = a
	return "a-" + random, nil
}

func (c *change) createAssociation() (map[string]any, error) {
	a := Association{Namespace: c.Namespace, ServiceAccount: c.ServiceAccount, RoleARN: c.RoleARN, Tags: c.Tags, CreatedAt: c.now}
	c.setOptions(&a)
	id, err := c.addAssociation(a)
	if err != nil {
		return nil, err
	}
	return map[string]any{"association": c.association(id, a)}, nil
}

// setOptions sets what an association may have.
func (c *change) setOptions(a *Association) {
	if c.TargetRoleARN != nil {
		a.TargetRoleARN = *c.TargetRoleARN
	}
	if c.DisableSessionTags != nil {
		a.DisableSessionTags = *c.DisableSessionTags
	}
}

// free is the association that the path names, unless an add-on owns it.
func (c *change) free() (Association, error) {
	a, ok := c.Associations[c.one]
	switch {
	case !ok:
		return a, refused(notFound, "The association %s could not be found.", c.one)
	case a.OwnerARN != "":
		return a, refused(invalidRequest, "The association %s is owned by %s and cannot be changed directly.", c.one, a.OwnerARN)
	}
	return a, nil
}

func (c *change) updateAssociation() (map[string]any, error) {
	a, err := c.free()
	if err != nil {
		return nil, err
	}
	if c.RoleARN == "" && c.TargetRoleARN == nil && c.DisableSessionTags == nil {
		return nil, refused(invalidParameter, "Nothing of the association is to be changed.")
	}
	if c.RoleARN != "" {
		a.RoleARN = c.RoleARN
	}
	c.setOptions(&a)
	c.Associations[c.one] = a
	return map[string]any{"association": c.association(c.one, a)}, nil
}

func (c *change) deleteAssociation() (map[string]any, error) {
	a, err := c.free()
	if err != nil {
		return nil, err
	}
	delete(c.Associations, c.one)
	return map[string]any{"association": c.association(c.one, a)}, nil
}
