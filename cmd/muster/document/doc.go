// Package document reads the files in which people write settings: HCL or JSON, each value with the line it stands on.
//
// Both syntaxes become the same tree of Values, and one check judges it by the type that the API reads, so that HCL and
// JSON are equally strict: an unknown key, a key given twice, a value of the wrong kind are errors that name file and line,
// all of a file at once. A misspelt key that was let through would be a setting that silently does nothing.
//
// A file holds discoveries alone (Discoveries), or a peer's settings with discoveries among them (ReadConfiguration). What the
// settings mean is judged in package conf, from the Values and their places.
//
// What only the API can judge (which backends it has, what their config means) comes back as the path of a field; Place turns
// it into the line where that field was written.
//
// Expressions of HCL are constants: there are no variables and no functions, so that a file means the same on every machine.
package document
