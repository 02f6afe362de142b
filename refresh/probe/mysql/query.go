package mysql

import (
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const commandQuery, commandQuit = 0x03, 0x01

// row is a row by its columns' names, without those that are NULL.
type row map[string]string

// query asks and reads the rows of the answer.
func (p *packets) query(sql string) ([]row, error) {
	p.next = 0
	if err := p.write(append([]byte{commandQuery}, sql...)); err != nil {
		return nil, err
	}
	names, err := p.columns()
	if err != nil {
		return nil, err
	}
	var rows []row
	for {
		body, err := p.read()
		switch {
		case err != nil:
			return nil, err
		case ends(body):
			return rows, nil
		case len(rows) == maxRows:
			return nil, refresh.NewFault(fsm.ReasonTooLarge, "the answer has more than %d rows", maxRows)
		}
		f, r := fields{rest: body}, make(row, len(names))
		for _, name := range names {
			if text, null := f.text(); !null {
				r[name] = text
			}
		}
		if f.short {
			return nil, malformed("row")
		}
		rows = append(rows, r)
	}
}

// columns reads the head of an answer: how many columns there are, each, and the end of the list.
func (p *packets) columns() ([]string, error) {
	body, err := p.read()
	if err != nil {
		return nil, err
	}
	head := fields{rest: body}
	n, _ := head.count()
	switch {
	case body[0] == answerOK, body[0] == answerFile, head.short:
		return nil, refresh.NewFault(fsm.ReasonProtocol, "the server does not answer the question")
	case n > maxColumns:
		return nil, refresh.NewFault(fsm.ReasonTooLarge, "the answer has more than %d columns", maxColumns)
	}
	names := make([]string, 0, n)
	for range n {
		body, err := p.read()
		if err != nil {
			return nil, err
		}
		f := fields{rest: body}
		for range 4 { // catalog, schema, and the table's two names
			f.text()
		}
		name, _ := f.text()
		if f.short {
			return nil, malformed("column")
		}
		names = append(names, name)
	}
	body, err = p.read()
	if err == nil && !ends(body) {
		err = malformed("list of columns")
	}
	return names, err
}

// ends says whether a packet ends a list. A row may begin with the same byte, but is longer then.
func ends(body []byte) bool { return body[0] == answerEnd && len(body) < 9 }

func malformed(what string) error {
	return refresh.NewFault(fsm.ReasonProtocol, "a %s cannot be read", what)
}
