/* What is known where, and what every change entails. */

/* etcd. Revisions are not numbers here: whoever compares one holds a flag that a change takes away. */
byte leader = OLD;         /* owner of the leader key */
bool lease = 1;            /* the old primary's lease lives; its leader key hangs on it */
byte voters, quorum;       /* /sync: V, and the votes needed besides one */
byte promised;             /* members whose promise key stands */

/* The old primary's PostgreSQL. */
bool up = 1;               /* runs as primary */
byte names, number;        /* synchronous_standby_names: ANY number (names) */
byte written, acked;       /* rows in its WAL; rows that clients were told are kept */

/* The old primary's Patroni. */
bool thinks_leader = 1;    /* its view of the leader key; stale whenever it likes */
bool knows_sync = 1;       /* its revision of /sync is the current one */
bool writing;              /* a write of /sync is under way: queued anywhere, applied any time */
bool write_fits;           /* the revision it compares is still the current one */
byte new_voters, new_quorum;

/* Standbys. */
byte position[STANDBYS];   /* rows flushed */
byte replied[STANDBYS];    /* rows that replies under way to the old primary speak of */
byte heard[STANDBYS];      /* rows that the old primary knows this standby has */
byte linked = ALL;         /* a walreceiver talks to the old primary */
byte follows;              /* primary_conninfo names another leader */
#ifdef WIRE
byte arrived[STANDBYS];    /* rows that are on this host, in a socket or flushed */
#endif

/* Patroni's race at each standby. */
#define IDLE 0
#define ASKS 1             /* has read /sync in a vacancy, collects votes */
#define WON 2              /* has its votes, is about to take the key */
#define HOLDS 3            /* has the key, does not run as primary yet */
#define LEADS 4
byte race[STANDBYS];
byte needs[STANDBYS];      /* votes that are missing */
byte asks[STANDBYS];       /* voters not heard yet */
bool promoted;             /* somebody runs as primary on a new timeline */
#ifdef BLAME_RELEASE
bool released, by_release; /* this vacancy came of a release; the one in which the key was taken did */
#define VACANT_BY(release) leader = NOBODY; leader_changed(); released = release
#define BLAME by_release = released; released = 0
#else
#define VACANT_BY(release) leader = NOBODY; leader_changed()
#define BLAME skip
#endif
byte fork = ROWS;          /* rows that it kept */

/* Fences: a block of all packets to and from the old primary. */
byte blocked;
byte cleared;              /* the promise is known to be deleted: only the unblock is left */

/* Coordinators. */
#define OPEN 1             /* holds the revision of /sync, from before the first fence of this round */
#define COUNTED 2          /* holds the revisions of leader and of the promises it counted */
byte round[COORDINATORS];
byte counted[COORDINATORS];
#ifdef NO_RULE_5_ORDER
bool torn;                 /* the old primary's view may have the put of /sync, and not the deletion of leader */
#endif
#ifdef LATE_PROMISE
byte sent_promise;         /* members whose put of a promise is under way */
#endif
#if REVOKE
byte revoking;             /* coordinators whose revocation of the old primary's present lease is under way */
#endif

#define VACANT (leader == NOBODY)
#define STALE_RACE (!VACANT && ANY_RACE)
#if STANDBYS == 2
#define ANY_RACE (race[0] == ASKS || race[0] == WON || race[1] == ASKS || race[1] == WON)
#else
#define ANY_RACE (race[0] == ASKS || race[0] == WON || race[1] == ASKS || race[1] == WON || race[2] == ASKS || race[2] == WON)
#endif

/* The two properties in one: what was acknowledged is in what the new primary kept, and once it runs, the old
 * one acknowledges nothing beyond that. */
inline check_rows() {
#ifdef BLAME_RELEASE
  assert(!promoted || acked <= fork || !by_release)
#else
  assert(!promoted || acked <= fork)
#endif
}

/* The old primary acknowledges whatever ANY number (names) now allows. */
inline acknowledge() {
  do
  :: up && acked < written && COUNT(names & AT_LEAST(heard, acked + 1)) >= number -> acked++
  :: else -> break
  od;
  check_rows()
}

/* A compare that can no longer succeed will never do anything: the coordinator is set back at once. */
inline forget_count(c) {
  if :: round[c] == COUNTED -> round[c] = OPEN; counted[c] = 0 :: else fi
}
inline forget_round(c) {
  round[c] = IDLE; counted[c] = 0
}
inline leader_changed() {
#ifdef NO_RULE_5_LEADER
  skip;
#else
  forget_count(0);
#if COORDINATORS == 2
  forget_count(1);
#endif
#endif
}
inline promise_changed(s) {
#ifdef NO_RULE_5_PROMISES
  skip;
#else
  if :: IN(s, counted[0]) -> forget_count(0) :: else fi;
#if COORDINATORS == 2
  if :: IN(s, counted[1]) -> forget_count(1) :: else fi;
#endif
#endif
}
inline sync_changed() {
  knows_sync = 0; write_fits = 0;
#ifndef NO_RULE_5_SYNC
  forget_round(0);
#if COORDINATORS == 2
  forget_round(1);
#endif
#endif
}
/* The life of the lease is told apart from that of the key only where it makes a difference. */
#if REVOKE || defined(FREEZE)
#define LEASE_LIVES (lease)
#else
#define LEASE_LIVES (leader == OLD)
#endif
inline lease_ends() {
#if REVOKE || defined(FREEZE)
  lease = 0;
#endif
#if REVOKE
  revoking = 0;
#endif
  if :: leader == OLD -> VACANT_BY(0) :: else fi
}
inline race_over(s) {
  race[s] = IDLE; needs[s] = 0; asks[s] = 0
}
