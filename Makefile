# Targets for people and for CI, which calls the same ones.

GO      ?= go
LINT     = $(GO) tool -modfile=tools/go.mod golangci-lint
FUZZTIME ?= 20s

# The property tests draw the same cases in every run of the other targets, so that a
# change is judged by what it changes. "make properties" draws others.
export RAPID_SEED ?= 1

.PHONY: build test coverage lint fmt generate verify e2e e2e-quick bench fuzz properties dist release site

build: ## the plugin, as bin/kubectl-noderole
	$(GO) build -trimpath -ldflags "-s -w" -o bin/kubectl-noderole ./cmd/kubectl-noderole

# A third less CPU, for some memory; "make properties" draws 1,000 cases. A comment behind a
# value would give it a blank, which Go does not take for a number.
test: export GOGC ?= 400
test: export RAPID_CHECKS ?= 50
test: ## everything that needs nothing but Go
	$(GO) test ./...
	cd tools/compare && $(GO) test ./...
	./hack/coverage.sh ./pkg/iampolicy

coverage: ## how much of pkg/apply and pkg/cli is run, the latter also by the built plugin; fails below 90 % and 70 %
	./hack/coverage-least.sh

lint:
	$(LINT) run ./...
	cd test/e2e && $(GO) tool -modfile=../../tools/go.mod golangci-lint run -c ../../.golangci.yaml ./...

fmt:
	$(LINT) fmt ./...

generate: ## docs, schemas and the narrow AWS clients from the code
	$(GO) generate ./...
	$(GO) run ./internal/docgen

verify: generate ## fails where generated files or go.mod are not current
	$(GO) mod tidy -diff
	cd test/e2e && $(GO) mod tidy -diff
	cd test/e2e/terraform && $(GO) mod tidy -diff
	cd tools/image && $(GO) mod tidy -diff
	cd tools/compare && $(GO) mod tidy -diff
	git diff --exit-code -- deploy docs README.md pkg/collect/aws/linked.go

e2e: ## a real kube-apiserver, moto, kubectl; builds the API server once
	KUBEBUILDER_ASSETS="$$(./hack/e2e-tools.sh)" && export KUBEBUILDER_ASSETS && cd test/e2e && $(GO) test -count=1 -p 1 -timeout 60m -v ./...

# The tests of test/e2e that take longest.
SLOW = Action|Changes|CreateIsWhatItPrints|CreateKeepsTheGuidesRole|CreateRefused|CreateThenCheck|CreateUsesTheGuidesCNIPolicy|Deploy|DeployFleet|EveryRefusal|Fix|FixInterrupted|FixKilled|FixLock|FixPrinted|FixRefused|FixTwice|FixUnproven|FleetOfContexts|HTML|LayersBlockPulls|LettingIn|Memory|ReportFormats|Rollout|Site|TerraformRoundTrip|Throttling

e2e-quick: ## the end-to-end tests without the slow ones and the release: for a change to texts
	KUBEBUILDER_ASSETS="$$(./hack/e2e-tools.sh)" && export KUBEBUILDER_ASSETS && cd test/e2e && $(GO) test -count=1 -timeout 20m -skip '^Test($(SLOW))$$' .

dist: ## the release's archives, packages and image in dist/, and the checksums in plugins.yaml; builds goreleaser once
	./hack/dist.sh

release: ## tags VERSION and builds its dist/ from a clean work tree; publishes nothing
	./hack/release.sh "$(VERSION)"

site: ## the documentation as a static site in build/site; open index.html there
	$(GO) run ./internal/site build/site

bench: ## figures of the evaluator, of reading, of one whole check and of fleets
	$(GO) test -run '^$$' -bench . -benchmem ./pkg/...
	$(GO) test -run '^$$' -bench . -benchtime 1x ./test/fleetsim
	KUBEBUILDER_ASSETS="$$(./hack/e2e-tools.sh)" && export KUBEBUILDER_ASSETS && cd test/e2e && $(GO) test -run '^$$' -bench . -benchtime 3x ./...

fuzz: ## every fuzz target, by package, FUZZTIME each
	./hack/fuzz.sh $(FUZZTIME) ./pkg/apply ./pkg/awsauth ./pkg/iampolicy ./pkg/locate ./pkg/snapshot ./pkg/teampolicy

properties: ## the tests of pkg, with 1,000 new cases for each property
	RAPID_SEED=0 RAPID_CHECKS=1000 $(GO) test -count=1 -timeout 60m ./pkg/...

.PHONY: rule
rule: ## a new rule's file: make rule NAME=my-rule GROUP=2
	./hack/new-rule.sh "$(NAME)" "$(GROUP)"
