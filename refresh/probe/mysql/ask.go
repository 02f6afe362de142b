package mysql

import (
	"errors"
	"strings"
	"time"
)

// The questions. SHOW leaves out what a server does not know, where SELECT would fail.
const (
	askVariables = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'version_comment', 'server_id', 'server_uuid', " +
		"'read_only', 'super_read_only', 'gtid_mode', 'gtid_current_pos', 'wsrep_on', " +
		"'group_replication_group_name', 'group_replication_single_primary_mode')"
	askExecuted = "SELECT @@GLOBAL.gtid_executed AS executed" // SHOW cuts it
	askSources  = "SHOW REPLICA STATUS"                       // MySQL from 8.0.22 on
	askMasters  = "SHOW SLAVE STATUS"                         // MySQL before that
	askAll      = "SHOW ALL SLAVES STATUS"                    // MariaDB, of every connection
	askMember   = "SELECT * FROM performance_schema.replication_group_members WHERE MEMBER_ID = @@GLOBAL.server_uuid"
	askGalera   = "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state_comment', 'wsrep_cluster_state_uuid', " +
		"'wsrep_cluster_status', 'wsrep_last_committed')"
)

const goodbye = time.Second

// client is a connection that is logged in.
type client struct {
	*packets
	old bool // it knows SHOW SLAVE STATUS alone
}

// Close ends the session; a server logs those that end without a word.
func (c *client) Close() {
	c.next = 0
	_ = c.SetDeadline(time.Now().Add(goodbye))
	_ = c.write([]byte{commandQuit})
	_ = c.packets.Close()
}

// facts are what a server said.
type facts struct {
	variables map[string]string // names in lower case
	executed  string            // MySQL's GTIDs, when they are on
	sources   []row             // in MySQL's newer words
	member    row               // of a group; nil when it is in none
	galera    map[string]string // nil when it is off
}

// mariadb goes by what only MariaDB has, too: its version may be set to any text.
func (f facts) mariadb() bool {
	_, has := f.variables["gtid_current_pos"]
	return has || strings.Contains(f.variables["version"], "MariaDB")
}

func (c *client) ask() (f facts, err error) {
	if f.variables, err = c.pairs(askVariables); err != nil {
		return f, err
	}
	if strings.HasPrefix(f.variables["gtid_mode"], "ON") {
		rows, err := c.query(askExecuted)
		if err != nil {
			return f, err
		}
		for _, r := range rows {
			f.executed = r["executed"]
		}
	}
	if f.sources, err = c.askSources(f.mariadb()); err != nil {
		return f, err
	}
	if f.variables["group_replication_group_name"] != "" {
		rows, err := c.query(askMember)
		if err != nil {
			return f, err
		}
		f.member = row{"MEMBER_STATE": "OFFLINE"}
		for _, r := range rows {
			f.member = r
		}
	}
	if f.variables["wsrep_on"] == "ON" {
		f.galera, err = c.pairs(askGalera)
	}
	return f, err
}

// pairs asks for names and values.
func (c *client) pairs(sql string) (map[string]string, error) {
	rows, err := c.query(sql)
	if err != nil {
		return nil, err
	}
	pairs := make(map[string]string, len(rows))
	for _, r := range rows {
		pairs[strings.ToLower(r["Variable_name"])] = r["Value"]
	}
	return pairs, nil
}

var newer = strings.NewReplacer("Slave", "Replica", "Master", "Source")

// askSources asks where the server replicates from, one row for each channel or connection.
func (c *client) askSources(mariadb bool) ([]row, error) {
	question := askSources
	switch {
	case mariadb:
		question = askAll
	case c.old:
		question = askMasters
	}
	rows, err := c.query(question)
	var said *refusal
	if question == askSources && errors.As(err, &said) && said.number == syntaxError {
		c.old = true
		rows, err = c.query(askMasters)
	}
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		renamed := make(row, len(r))
		for name, value := range r {
			renamed[newer.Replace(name)] = value
		}
		if _, named := renamed["Source_Host"]; !named { // it would be taken for none, and the server for a primary
			return nil, malformed("replica's status")
		}
		rows[i] = renamed
	}
	return rows, nil
}
