/* Failover by fence and release, beside Patroni's quorum commit.
 *
 * One old primary, STANDBYS standbys, etcd, an agent beside each standby, one or two coordinators. Every step
 * is optional: whoever may act may also wait for ever, so crashes, cuts and delays of any length need no steps
 * of their own; what does is said where it stands. Nothing is counted down: rows apart, runs have no bound on
 * how often a thing happens. models/README.md says what is abstracted, and why one row is enough.
 *
 * Properties: assertions, most of them at `lost`.
 * Options: -DSTANDBYS=2|3 -DCOPIES=1|2 (n) -DROWS=n, and those named in the files below.
 */
#ifndef STANDBYS
#define STANDBYS 2
#endif
#ifndef COPIES
#define COPIES 1
#endif
#ifndef ROWS
#define ROWS 1
#endif
#ifndef COORDINATORS
#define COORDINATORS 1
#endif

/* Sets of standbys are bit masks. */
#define ALL ((1 << STANDBYS) - 1)
#define ONE(s) (1 << (s))
#define IN(s, set) (((set) >> (s)) & 1)
#define WITH(s, set) ((set) | ONE(s))
#define WITHOUT(s, set) ((set) & ~ONE(s))
#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))
#if STANDBYS == 2
#define AT_LEAST(what, row) ((what[0] >= (row)) | ((what[1] >= (row)) << 1))
#else
#define AT_LEAST(what, row) ((what[0] >= (row)) | ((what[1] >= (row)) << 1) | ((what[2] >= (row)) << 2))
#endif

/* The owner of the leader key. */
#define NOBODY 0
#define OLD 1
#define STANDBY(s) ((s) + 2)

#include "rules.pml"
#include "state.pml"
#include "patroni.pml"
#include "agents.pml"

init {
  atomic {
    /* Any converged start: all standbys are voters, or as many as there are copies, or one more. */
    if
    :: voters = ALL
    :: voters = ONE(COPIES) - 1
    :: COPIES + 1 < STANDBYS -> voters = ONE(COPIES + 1) - 1
    fi;
    quorum = COUNT(voters) - COPIES;
    names = voters;
    number = COPIES;
    run Primary();
    run Etcd();
    run Standby(0); run Standby(1);
#if STANDBYS == 3
    run Standby(2);
#endif
#ifndef PATRONI_ALONE
    run Agent(0); run Agent(1);
#if STANDBYS == 3
    run Agent(2);
#endif
    run Coordinator(0);
#if COORDINATORS == 2
    run Coordinator(1);
#endif
#endif
  }
}
