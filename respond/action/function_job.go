package action

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const functionJob = "function.job"

func init() {
	register(Kind{
		Name: functionJob,
		Doc: "Runs a Job of the operator's config, with the target and the playbook's values in the environment and the arguments of its containers: as data, nothing is expanded in them. " +
			"What it does is its own, and not undone. It runs only in a namespace that is labelled for it.",
		Class:   Effect,
		OptIn:   true,
		Config:  func() any { return new(JobConfig) },
		Example: func() any { return &JobConfig{Job: "collect"} },
		Check:   func(config any) error { return checked(functionJob, config, JobConfig.check) },
		Needs:   needs([]Resource{jobs}, "create", "get"),
		Admits:  []Admit{{Group: jobs.Group, Resource: jobs.Resource, Operation: "CREATE", Expression: admitJob()}},
		New: func(d Deps, config any) (Action, error) {
			c, err := params[JobConfig](functionJob, config)
			if err != nil {
				return nil, err
			}
			if err := c.check(); err != nil {
				return nil, err
			}
			template, ok := d.Jobs[c.Job]
			if !ok && !d.Offline && !d.Unconfigured {
				return nil, fmt.Errorf("%s: job %q is not in the config", functionJob, c.Job)
			}
			j := job{d, *c, template}
			run := jobRun{made: made{Deps: d, action: functionJob, objects: j.objects}}
			if !ok && d.Unconfigured {
				run.unknown = c.Job
			}
			return run, nil
		},
	})
}

// admitJob is CEL that is true of a Job in a namespace for them, that asks for
// nothing of the node.
func admitJob() string {
	const spec = "object.spec.template.spec"
	host := ""
	for _, f := range []string{"hostNetwork", "hostPID", "hostIPC"} {
		host += fmt.Sprintf(" && !(has(%[1]s.%[2]s) && %[1]s.%[2]s)", spec, f)
	}
	const privileged = "has(c.securityContext) && has(c.securityContext.privileged) && c.securityContext.privileged"
	return kube.OwnObject + " && has(namespaceObject.metadata.labels) && '" + JobsLabel + "' in namespaceObject.metadata.labels && namespaceObject.metadata.labels['" + JobsLabel + "'] == 'true'" +
		host + " && !(has(" + spec + ".volumes) && " + spec + ".volumes.exists(v, has(v.hostPath)))" +
		" && !" + spec + ".containers.exists(c, " + privileged + ") && !(has(" + spec + ".initContainers) && " + spec + ".initContainers.exists(c, " + privileged + "))"
}

// JobConfig are the parameters of function.job.
type JobConfig struct {
	// Job is a name of the operator's config.
	Job string `yaml:"job" json:"job"`
	// Env are variables that every container gets.
	Env map[string]string `yaml:"env" json:"env,omitempty"`
	// Args are appended to the arguments of the first container.
	Args []string `yaml:"args" json:"args,omitempty"`
}

// envPrefix begins the variables that every Job gets: KEY, RUN, and RESOURCE,
// NAMESPACE, NAME and UID of the target.
const envPrefix = "FIREBREAK_"

func (c JobConfig) check() error {
	if c.Job == "" {
		return fmt.Errorf("%s: no job is named", functionJob)
	}
	for k := range c.Env {
		if strings.HasPrefix(k, envPrefix) {
			return fmt.Errorf("%s: variable %s: the prefix is Firebreak's own", functionJob, cut(k, maxText))
		}
	}
	args := map[string]string{}
	for i, a := range c.Args {
		args[fmt.Sprint("arg_", i)] = a
	}
	if err := checkValues(functionJob, args); err != nil {
		return err
	}
	return checkValues(functionJob, c.Env)
}

// noteOwn is the note of every Job.
const noteOwn = "what the job does is its own: it is not known here, and not undone"

type job struct {
	Deps
	JobConfig
	template JobTemplate
}

// literal is a value as the kubelet gives it to a container: it would expand
// $(NAME), and takes $$ for $.
func literal(s string) string { return strings.ReplaceAll(s, "$", "$$") }

// objects is the Job: the template, and the values in it.
func (j job) objects(_ context.Context, r Request) ([]own, string, []string, error) {
	summary := fmt.Sprintf("run job %s in namespace %s", j.Job, j.template.Namespace)
	spec := object{}
	if j.Offline && len(j.template.Spec) == 0 {
		spec["template"] = object{"spec": object{"containers": []any{object{"name": "unknown"}}}}
	} else if err := json.Unmarshal(j.template.Spec, &spec); err != nil {
		return nil, summary, nil, fmt.Errorf("%s: job %s: %w", functionJob, j.Job, err)
	}
	containers := listAt(spec, []string{"template", "spec", "containers"})
	if len(containers) == 0 {
		return nil, summary, nil, refuse(r.Target, "job %s has no container", j.Job)
	}
	for i, one := range containers {
		c, ok := one.(map[string]any)
		if !ok {
			return nil, summary, nil, refuse(r.Target, "job %s: container %d is none", j.Job, i)
		}
		c["env"] = append(listAt(c, []string{"env"}), j.env(r)...)
		if args := listAt(c, []string{"args"}); i == 0 && len(j.Args) > 0 {
			for _, a := range j.Args {
				args = append(args, literal(a))
			}
			c["args"] = args
		}
	}
	setAt(spec, []string{"template", "spec", "containers"}, containers)
	notes := []string{noteOwn}
	if _, ok := spec["ttlSecondsAfterFinished"]; !ok {
		notes = append(notes, "its template has no ttlSecondsAfterFinished: the Job stays when it is done")
	}
	return []own{{Resource: jobs, Kind: "Job", Namespace: j.template.Namespace, Body: object{"spec": spec}}}, summary, notes, nil
}

// env are the variables that every container gets. They stand last, so that they
// win over those of the template.
func (j job) env(r Request) []any {
	t := r.Target
	all := map[string]string{
		envPrefix + "KEY": r.Key, envPrefix + "RUN": r.Run.ID, envPrefix + "RESOURCE": t.Resource, envPrefix + "NAMESPACE": t.Namespace,
		envPrefix + "NAME": t.Name, envPrefix + "UID": t.UID,
	}
	maps.Copy(all, j.Env)
	var list []any
	for _, k := range slices.Sorted(maps.Keys(all)) {
		list = append(list, object{"name": k, "value": literal(all[k])})
	}
	return list
}

// jobRun is a made Job, which is not taken away again.
type jobRun struct {
	made
	// unknown is the name of a Job of which nothing is known, since the config is not;
	// empty is that it is known.
	unknown string
}

// Plan is that of the Job, which has no undo.
func (j jobRun) Plan(ctx context.Context, r Request) (event.Plan, error) {
	if j.unknown != "" {
		return event.Plan{Action: functionJob, Target: r.Target, Summary: "run job " + j.unknown, Notes: []string{noteNoFunctions, noteOwn}}, nil
	}
	p, err := j.made.Plan(ctx, r)
	p.Reversible, p.Before = false, nil
	return p, err
}

// Do makes the Job.
func (j jobRun) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if j.unknown != "" {
		return event.Receipt{}, ErrOffline
	}
	return j.made.Do(ctx, r, p)
}

// Undo gives [ErrIrreversible].
func (jobRun) Undo(context.Context, Request, event.Receipt, event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, ErrIrreversible
}

// Mark does nothing: the step holds nothing.
func (jobRun) Mark(context.Context, Request) error { return nil }
