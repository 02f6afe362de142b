package replicante

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/musterhq/muster/refresh"
)

// The types here never fail to decode: what is of another type than it should be is as if it were not there.

// text is a JSON text.
type text string

// UnmarshalJSON takes a text.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*t = text(s)
	}
	return nil
}

// either is the first text that is not empty.
func either(texts ...text) string {
	for _, t := range texts {
		if t != "" {
			return string(t)
		}
	}
	return ""
}

// version is a text, or the number of an object.
type version string

// UnmarshalJSON takes either form.
func (v *version) UnmarshalJSON(raw []byte) error {
	var whole text
	var parts struct {
		Number text `json:"number"`
	}
	_, _ = json.Unmarshal(raw, &whole), json.Unmarshal(raw, &parts)
	*v = version(either(whole, parts.Number))
	return nil
}

// word is one of a set of words: a text, or the only key of an object, whose value may then say more.
type word struct {
	name  string // lower case
	inner string // as it was said
}

// UnmarshalJSON takes either form, in any case.
func (w *word) UnmarshalJSON(raw []byte) error {
	var name text
	var tagged map[string]text
	_, _ = json.Unmarshal(raw, &name), json.Unmarshal(raw, &tagged)
	if len(tagged) == 1 {
		for key, inner := range tagged {
			*w = word{name: strings.ToLower(key), inner: string(inner)}
		}
		return nil
	}
	*w = word{name: strings.ToLower(string(name))}
	return nil
}

// attributes are flat.
type attributes map[string]string

// UnmarshalJSON takes those that have a text.
func (a *attributes) UnmarshalJSON(raw []byte) error {
	var all refresh.Attributes
	if json.Unmarshal(raw, &all) == nil {
		*a = attributes(all)
	}
	return nil
}

// why is what an answer says of its failure; both generations have words of their own for it.
func why(answer refresh.Response) string {
	var body struct {
		Error text `json:"error"`
		Text  text `json:"error_msg"`
		Cause text `json:"error_cause"`
	}
	said := strconv.Itoa(answer.Status) + " " + http.StatusText(answer.Status)
	if json.Unmarshal(answer.Body, &body) != nil {
		return said
	}
	for _, more := range []text{text(either(body.Text, body.Error)), body.Cause} {
		if more != "" {
			said += ": " + string(more)
		}
	}
	return said
}
