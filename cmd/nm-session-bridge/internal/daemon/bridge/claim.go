package bridge

import "context"

// claim is the bridge's claim to be the only running one.
type claim struct {
	isMade bool
	isOurs bool
	holder string // the other running bridge; empty if that is not known
	err    error
}

// isOnly reports whether this bridge is the only one. It makes the claim when it is
// first asked, so that others find a bridge that knows the state.
func (l *loop) isOnly(ctx context.Context) bool {
	if !l.claim.isMade {
		l.claim.isMade = true
		go l.makeClaim(ctx)
	}
	return l.claim.isOurs
}

func (l *loop) makeClaim(ctx context.Context) {
	err := l.Claim(ctx, func(holder string) {
		l.Inbox.Post(ctx, func() Change {
			l.waitFor(holder)
			return Change{}
		})
	})
	if ctx.Err() != nil {
		return // told to stop, which is no error
	}
	l.Inbox.Post(ctx, func() Change {
		l.claim.isOurs, l.claim.holder, l.claim.err = err == nil, "", err
		return Change{}
	})
}

// waitFor says once that another bridge is running. The service manager considers a
// waiting service to be running, so it does not restart it again and again.
func (l *loop) waitFor(holder string) {
	l.claim.holder = holder
	l.Bridge.log.Warn("another nm-session-bridge is running, see nm-session-bridge status; waiting until it ends", "holder", holder)
	l.news.status = l.status()
	l.Notify("READY=1\nSTATUS=" + l.news.status)
}
