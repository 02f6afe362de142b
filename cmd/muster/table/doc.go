// Package table writes what people read on a terminal: columns that stay aligned whatever is in them, and colour where it
// helps.
//
// Widths are those of a terminal (wide characters take two places), cells that are too long end in "…", and what does not
// print is replaced: names and details come from nodes and sources, and must not be able to move a cursor. text/tabwriter
// would do for the alignment, but counts a colour's control characters and wide characters wrongly.
package table
