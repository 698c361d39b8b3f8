package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/files"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/finding"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/teampolicy"
)

// policyFile is the name of the file with the team configuration.
const policyFile = ".noderole.yaml"

// teamOptions are the options for the team configuration and the baseline.
type teamOptions struct {
	streams genericiooptions.IOStreams

	config, baselineFile string
	noConfig             bool

	// policy is empty where there is no file; baseline is nil then.
	policy   *teampolicy.Config
	baseline *finding.Report
}

func (o *teamOptions) addFlags(f *pflag.FlagSet) {
	o.addConfigFlags(f)
	inSection(f, sectionTeam, func() {
		f.StringVar(&o.baselineFile, "baseline", "", "Ignore findings that are already in this report, which check -o json wrote")
	})
}

// addConfigFlags adds the flags that say which configuration counts.
func (o *teamOptions) addConfigFlags(f *pflag.FlagSet) {
	inSection(f, sectionTeam, func() {
		f.StringVar(&o.config, "config", "", "File with the team configuration (default "+policyFile+" in the working directory or the nearest one above it)")
		f.BoolVar(&o.noConfig, "no-config", false, "Do not look for "+policyFile)
	})
}

// complete reads the files, before anything is asked of a cluster.
func (o *teamOptions) complete(ctx context.Context) error {
	if o.noConfig && o.config != "" {
		return usage("give one of them", "--config and --no-config exclude each other")
	}
	o.policy = &teampolicy.Config{}
	file := o.config
	if file == "" && !o.noConfig {
		var err error
		if file, err = findUpward(policyFile); err != nil {
			return usage("give --config FILE or --no-config", "%s could not be searched for: %s", policyFile, err)
		}
	}
	if file != "" {
		text, err := readFile(ctx, file, files.MaxConfig)
		if err != nil {
			return err
		}
		var ids []string
		for _, r := range allRules() {
			ids = append(ids, r.ID)
		}
		if o.policy, err = teampolicy.Parse(file, text, ids); err != nil {
			return ofFile(err)
		}
	}
	if o.baselineFile != "" {
		text, err := readFile(ctx, o.baselineFile, files.MaxSnapshot)
		if err != nil {
			return err
		}
		if o.baseline, err = teampolicy.ParseBaseline(o.baselineFile, text); err != nil {
			return ofFile(err)
		}
	}
	return nil
}

// ofFile gives an error of a file its second line.
func ofFile(err error) error {
	var fileErr *teampolicy.FileError
	if errors.As(err, &fileErr) {
		return usage(fileErr.Next, "%s", err)
	}
	return err
}

// readFile reads a file that a flag names, no more than limit bytes of it.
func readFile(ctx context.Context, name string, limit int64) ([]byte, error) {
	text, err := files.Read(ctx, name, nil, limit)
	var fileErr *files.Error
	if errors.As(err, &fileErr) {
		return nil, usage("", "%s", fileErr)
	}
	return text, err
}

// findUpward looks for a file in the working directory and in each directory above
// it, up to the root. It returns the nearest one's path, or nothing.
func findUpward(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for path := name; ; path = filepath.Join(dir, name) {
		info, err := os.Stat(path)
		switch {
		case err == nil && !info.IsDir():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return "", err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", nil
		}
		dir = parent
	}
}

// apply writes the team's decisions into the report. Of a report that has every
// result it tells which exceptions the team may clear away.
func (o *teamOptions) apply(report *finding.Report, now time.Time, whole bool) error {
	unused := o.policy.Apply(report, now.UTC().Format(time.DateOnly))
	for _, sentence := range unused {
		if whole {
			warn(o.streams.ErrOut, "%s", sentence)
		}
	}
	if o.baseline == nil {
		return nil
	}
	if err := teampolicy.ApplyBaseline(report, o.baseline); err != nil {
		return usage("save one of this cluster: kubectl noderole check -o json", "--baseline %s: %s", o.baselineFile, err)
	}
	return nil
}
