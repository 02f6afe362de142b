package probe_test

import (
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

func TestCheckScram(t *testing.T) {
	for message, wanted := range map[string]bool{
		"r=abc,s=c2FsdA==,i=4096":                 true,
		"r=abc,s=c2FsdA==,i=200000":               true,
		"r=i=9999999,s=c2FsdA==,i=15000":          true,
		"":                                        true, // the library's to refuse
		"r=abc,s=c2FsdA==,i=200001":               false,
		"r=abc,s=c2FsdA==,i=2147483647":           false,
		"r=abc,s=c2FsdA==,i=99999999999999999999": false,
		"r=abc,s=c2FsdA==,i=4096,i=2147483647":    false,
	} {
		err := probe.CheckScram(message)
		if (err == nil) != wanted || err != nil && refresh.FaultOf(err).Reason != fsm.ReasonAuth {
			t.Errorf("%q: error is %v", message, err)
		}
	}
}
