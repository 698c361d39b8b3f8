package cli

import (
	"context"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect/aws"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/locate"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/need"
)

// completionTimeout is how long the shell may wait for names that only AWS knows.
const completionTimeout = 2 * time.Second

// completeValues completes the values of all commands' flags: those that a flag's
// help lists, and those of the kubeconfig, of the AWS files, and of our own lists.
// For any other value the shell offers files. What cannot be read is not offered.
func completeValues(cmd *cobra.Command, config *kubeFlags) {
	sources := map[string]func() []string{
		"context":      func() []string { return contexts(config) },
		"cluster-name": func() []string { return clusterNames(config) },
		"region":       func() []string { return locate.Regions },
		"regions":      func() []string { return locate.Regions },
		"partition":    func() []string { return partitions },
		"only":         func() []string { return ruleCompletions(nil) },
		"profile": func() []string {
			names, _ := aws.Profiles()
			return names
		},
	}
	register := func(f *pflag.Flag) {
		values, ok := sources[f.Name]
		if !ok {
			listed := listedValues(f.Usage)
			if len(listed) == 0 {
				return
			}
			values = func() []string { return listed }
		}
		if _, taken := cmd.GetFlagCompletionFunc(f.Name); taken {
			return
		}
		// It fails for an unknown or a completed flag, and this is neither.
		_ = cmd.RegisterFlagCompletionFunc(f.Name, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			switch {
			case !strings.Contains(f.Usage, "FORMAT=FILE"):
				return starting(typed, afterComma(f, typed, values())), cobra.ShellCompDirectiveNoFileComp
			case strings.Contains(typed, "="):
				return nil, cobra.ShellCompDirectiveDefault
			default:
				return starting(typed, endingWith("=", values())), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
			}
		})
	}
	cmd.LocalFlags().VisitAll(register)
	for _, sub := range cmd.Commands() {
		if sub.ValidArgsFunction == nil && len(sub.ValidArgs) == 0 {
			sub.ValidArgsFunction = cobra.NoFileCompletions
		}
		completeValues(sub, config)
	}
}

var (
	// aside is what a flag's help says beside the values.
	aside = regexp.MustCompile(` \([^()]*\)`)
	// valueList are values as a flag's help lists them: a, b or c.
	valueList = regexp.MustCompile(`^[\w.-]+(, [\w.-]+)*( or [\w.-]+)?$`)
)

// listedValues returns the values that a flag's help lists after its last colon:
// "Output format: table, json or yaml". Other help lists none.
func listedValues(help string) []string {
	help = aside.ReplaceAllString(help, "")
	list := help[strings.LastIndex(help, ": ")+1:]
	list = strings.TrimSpace(list)
	if list == help || !valueList.MatchString(list) {
		return nil
	}
	return strings.Split(strings.ReplaceAll(list, " or ", ", "), ", ")
}

// afterComma puts what is typed up to the last comma before the values of a flag
// that takes several.
func afterComma(f *pflag.Flag, typed string, values []string) []string {
	if f.Value.Type() != "stringSlice" {
		return values
	}
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var list []string
	for _, v := range values {
		list = append(list, before+v)
	}
	return list
}

func endingWith(suffix string, values []string) []string {
	var list []string
	for _, v := range values {
		list = append(list, v+suffix)
	}
	return list
}

// starting keeps the values that begin with what is typed, in any case.
func starting(typed string, values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool {
		return len(v) < len(typed) || !strings.EqualFold(v[:len(typed)], typed)
	})
}

func contexts(config *kubeFlags) []string {
	raw, err := config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(raw.Contexts))
}

// clusterNames are the EKS clusters that the kubeconfig's contexts lead to.
func clusterNames(config *kubeFlags) []string {
	raw, err := config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil
	}
	var names []string
	for name := range raw.Contexts {
		target, err := locate.FromKubeconfig(raw, locate.Flags{Context: name}, func(string) string { return "" })
		if err == nil && target.Name != "" {
			names = append(names, target.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// completeArgs completes ROLE and ACTION.
func (o *canOptions) completeArgs(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if o.batch {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if !o.documents() {
		if len(args) == 0 {
			return starting(typed, o.facts.completeRoles(cmd.Context())), cobra.ShellCompDirectiveNoFileComp
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return starting(typed, need.Names()), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeRoles returns the names of the roles that the facts have. The live cluster
// is asked without a word and without a question to the user, and only for as long
// as a shell may wait.
func (o factsOptions) completeRoles(ctx context.Context) []string {
	if o.file == "-" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	o.live.streams.ErrOut = io.Discard
	o.live.config.silent = true
	names := make(chan []string, 1)
	go func() {
		facts, _, err := o.read(ctx)
		if err != nil {
			names <- nil
			return
		}
		names <- roleNames(facts)
	}()
	select {
	case list := <-names:
		return list
	case <-ctx.Done(): // a credential plugin does not know of the context
		return nil
	}
}
