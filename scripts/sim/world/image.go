package world

import (
	"slices"

	"github.com/musterhq/muster/fsm"
)

// difference is what can be read of two states that differs, empty when nothing does. Events are kept as bytes, so that the
// bytes of a snapshot tell all of them.
func difference(a, b *fsm.Reader) string {
	switch {
	case text(a.Meta()) != text(b.Meta()):
		return "rows of the state itself"
	case text(a.Settings()) != text(b.Settings()):
		return "settings"
	case text(slices.Collect(a.Peers())) != text(slices.Collect(b.Peers())):
		return "peers"
	case text(slices.Collect(a.Claims())) != text(slices.Collect(b.Claims())):
		return "claims"
	case text(slices.Collect(a.Schedules())) != text(slices.Collect(b.Schedules())):
		return "schedules"
	case text(slices.Collect(a.Discoveries(""))) != text(slices.Collect(b.Discoveries(""))):
		return "discoveries"
	}
	rows := slices.Collect(a.Clusters(""))
	if len(rows) != len(slices.Collect(b.Clusters(""))) {
		return "clusters"
	}
	for _, c := range rows {
		switch {
		case text(a.View(c.ID)) != text(b.View(c.ID)):
			return "views"
		case text(slices.Collect(a.Listings(c.ID))) != text(slices.Collect(b.Listings(c.ID))):
			return "listings"
		}
	}
	if text(slices.Collect(a.Tokens(""))) != text(slices.Collect(b.Tokens(""))) {
		return "tokens"
	}
	for _, set := range sets {
		if a.Wait(set).Index != b.Wait(set).Index {
			return "indexes"
		}
	}
	return ""
}
