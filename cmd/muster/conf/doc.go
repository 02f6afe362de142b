// Package conf reads settings of a peer from files: HCL or JSON, each setting under the name of its option.
//
// An option of the command is the only declaration of a setting: its name, type, default and help. What a file may hold
// follows from the options: http_addr is -http-addr, and what In put in a block is written there, as in
// backup { dir = … } for -backup-dir. So no option is missing in files, no setting lacks an option, and the reference in
// docs/configuration.md is written from the same place (Reference).
//
// Values are judged where they are written: an unknown key, a value of the wrong kind, and what the check of a setting
// refuses, are errors with file and line, those of all files at once. Nothing is taken over unless all can be.
//
// Later files win over earlier ones, and options over files. Lists are gathered: what a file says is added to what the ones
// before it said, and what options say comes last. Of objects, such as labels, each key is taken from where it was said last.
//
// # Decisions
//
//   - Lists gather, as Consul's do: a list is mostly one of addresses or rules that several files contribute to.
//   - There are no variables and no environment in files, so that a file means the same on every machine.
//   - There are no secrets in files, only the names of files that hold them. So every value here may be shown and logged.
package conf
