// Command kubectl-noderole is a kubectl plugin that checks the IAM roles of the
// nodes of an EKS cluster.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/cli"
)

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		signals = append(signals, syscall.SIGHUP) // a closed terminal must not end fix in the middle of a change
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	// The first signal ends the run through the context; a second one kills.
	context.AfterFunc(ctx, stop)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	done := make(chan int, 1)
	go func() { done <- cli.Main(ctx, streams, os.Args[1:]) }()
	select {
	case code := <-done:
		os.Exit(code)
	case <-ctx.Done():
	}
	// Calls and reads end with the context. What does not look at it, such as the parsing
	// of a large file, is not waited for.
	select {
	case code := <-done:
		os.Exit(code)
	case <-time.After(grace):
		fmt.Fprintln(os.Stderr, "error: interrupted")
		os.Exit(cli.ExitInterrupted)
	}
}

// grace is how long a run may take to say where it was interrupted.
const grace = time.Second
