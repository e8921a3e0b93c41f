/* Failover by fence and release, beside Patroni's quorum commit.
 *
 * One primary, STANDBYS standbys, etcd, an agent beside each standby, one or two coordinators. Every step is
 * optional: whoever may act may also wait for ever, so crashes, cuts and delays of any length need no steps of
 * their own; those that leave something else behind have one. Nothing is counted down: apart from the rows, no
 * run is bounded in how often a thing happens. README.md says what is abstracted, and why one row is enough.
 *
 *   -DSTANDBYS=2|3  -DCOPIES=1|2 (n)  -DROWS=1…  -DCOORDINATORS=1|2
 *   -DTERMS         any number of failovers, with former primaries back as standbys (standby.pml)
 *   -DAGENTS_DIE    promises expire, timers lift blocks
 *   -DPATRONI_ALONE no agents
 *   -DPAUSE -DSWITCHOVER -DHANDOVER=1|2 -DREVOKE=1…4 -DFREEZE -DHOLE_A=1|2 -DHOLE_B  where they are said
 *   -DNO_RULE_…     a rule broken on purpose (rules.pml)
 *   -DBLAME_RELEASE only what follows a release (state.pml)
 *   -DFLOOR         what closes hole A (state.pml)
 *   -DKEEPS_KEY     the old primary does not fail while it has its key (patroni.pml)
 *   -DCALM=1|2|3    no stuck end
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
#ifndef CALM
#define CALM 0
#endif
#ifndef HANDOVER
#define HANDOVER 0
#endif
#ifndef HOLE_A
#define HOLE_A 0
#endif
#ifndef REVOKE
#define REVOKE 0
#endif

/* Sets of standbys are bit masks. AT_LEAST: those whose figure is that high. */
#define ALL ((1 << STANDBYS) - 1)
#define ONE(s) (1 << (s))
#define IN(s, set) (((set) >> (s)) & 1)
#define WITH(s, set) ((set) | ONE(s))
#define WITHOUT(s, set) ((set) & ~ONE(s))
#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))
#if STANDBYS == 2
#define AT_LEAST(figures, n) ((figures[0] >= (n)) | ((figures[1] >= (n)) << 1))
#else
#define AT_LEAST(figures, n) ((figures[0] >= (n)) | ((figures[1] >= (n)) << 1) | ((figures[2] >= (n)) << 2))
#endif

/* The owner of the leader key. */
#define NOBODY 0
#define OLD 1
#define STANDBY(s) ((s) + 2)

/* A step's line in a counterexample's story: spin -t. */
#define TELL printf

#include "state.pml"
#include "rules.pml"
#include "patroni.pml"
#include "standby.pml"
#ifndef PATRONI_ALONE
#include "agents.pml"
#endif

#if CALM
/* Without voters Patroni elects nobody (finding D): counted as stuck with STRICT_END only. */
#if CALM >= 2 && !defined(STRICT_END)
#define ENDS_WELL (leader == OLD && up || leader > OLD && promoted || voters == 0)
#else
#define ENDS_WELL (leader == OLD && up || leader > OLD && promoted)
#endif

/* No stuck end: at any time faults end for good. Once nothing is due any more, a leader runs and no fence stands. */
proctype End() {
  byte s;
  d_step { 1 ->
    TELL("from here on nothing fails any more\n");
    calm = 1; write_lost();
    do
    :: s < STANDBYS -> if :: RACES(s) -> race_over(s) :: else fi; s++
    :: else -> break
    od;
    forget_round(0);
    s = 0 }
  timeout ->
    assert(blocked == 0 && promised == 0);
    assert(ENDS_WELL)
}
#endif

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
    read_sync();
    run Primary(); run Etcd();
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
#if defined(PAUSE) || defined(SWITCHOVER)
    run Operator();
#endif
#if CALM
    run End();
#endif
  }
}
