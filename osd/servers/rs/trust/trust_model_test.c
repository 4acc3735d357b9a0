/*
 * RS's beliefs against a model of them, on random sequences. The model is written from
 * docs/protocol/envelope.md and knows nothing of keys and bytes: times, serials, floors,
 * generations and numbers are a few integers. Dates lie around every limit, numbers at the end of
 * their range, clocks jump, machines reboot, old orders come again.
 *
 * An answer is compared with the reasons that the model sees, of which several may hold at once;
 * what is believed afterwards is compared exactly.
 *
 * usage: trust_model_test [SEQUENCES [SEED]]; the seed of a sequence that fails is printed.
 */
#undef NDEBUG
#include "osd/servers/rs/trust/trust.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/sample.h"
#include "proto/image/link.h"

#define N_STEPS 60
#define N_KEPT 6 /* variants and kits that orders choose from; far fewer than RS keeps */
#define ORDER_LIFE 600

struct number {
	uint64_t epoch, number;
};

struct kept {
	struct kit_manifest kit;
	struct variant_manifest variant;
	uint64_t serial; /* verified under */
	bool is_kit;     /* no variant: the machine makes the layout */
};

/* What the machine ought to believe. */
static struct {
	bool has_statement;
	uint64_t serial, base, skew, nonce;
	struct number order, newest, unconfirmed;
	uint32_t floor_own, floor_told, floor_unconfirmed;
	uint64_t floor_epoch;
	struct kept kept[N_KEPT];
	uint32_t n_kept;
} m;

static struct trust_state t;
static struct sample s;
static uint64_t uptime, seed, draws;
static const char *did;

static uint64_t draw(uint64_t below)
{
	uint64_t z = seed + ++draws * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % below;
}

static _Noreturn void failed(void)
{
	(void)fprintf(stderr, "again: rs_trust_model_test 1 %#lx\n", seed);
	abort();
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t clock_now(void)
{
	return sum(m.base, uptime);
}

static uint64_t time_now(void)
{
	return sum(clock_now(), m.skew);
}

/* A statement counts under its own root. */
static void learn_root(uint64_t serial)
{
	m.has_statement = m.has_statement && serial == m.serial;
	m.serial = serial;
}

/* A signed date moves time, but not further than the skew ahead of the clock. */
static void learn(uint64_t serial, uint64_t date)
{
	uint64_t ahead = date > clock_now() ? date - clock_now() : 0;

	ahead = ahead > TIME_SKEW_SEC_MAX ? TIME_SKEW_SEC_MAX : ahead;
	m.skew = ahead > m.skew ? ahead : m.skew;
	learn_root(serial);
}

/* The time that a document of this date is judged at: its own date counts as far as it may. */
static uint64_t judged_at(uint64_t date)
{
	uint64_t most = sum(clock_now(), TIME_SKEW_SEC_MAX);

	date = date > most ? most : date;
	return date > time_now() ? date : time_now();
}

static bool is_later(struct number a, struct number b)
{
	return a.epoch > b.epoch || (a.epoch == b.epoch && a.number > b.number);
}

static uint32_t floor_now(void)
{
	uint32_t told = m.floor_epoch == m.serial ? m.floor_told : 0;

	return told > m.floor_own ? told : m.floor_own;
}

/* Reasons that hold; none: it must be accepted. */
struct reasons {
	err_t err[8];
	unsigned int n;
};

static void reason_if(struct reasons *r, bool holds, err_t err)
{
	if (holds) {
		r->err[r->n++] = err;
	}
}

static void compare(err_t answer, const struct reasons *r)
{
	bool is_right = r->n == 0 && answer == E_OK;

	for (unsigned int i = 0; i < r->n; i++) {
		is_right |= answer == r->err[i];
	}
	if (!is_right) {
		(void)fprintf(stderr, "%s: answered %ld, %u reasons, the first %ld\n", did,
		        (long)answer, r->n, r->n > 0 ? (long)r->err[0] : 0l);
		failed();
	}
}

/* Numbers: small ones that meet each other, and the end of the range. */
static uint64_t draw_number(void)
{
	return draw(8) == 0 ? UINT64_MAX - draw(3) : 1 + draw(12);
}

static uint64_t draw_serial(void)
{
	return m.serial + draw(8) - (draw(8) < 2 ? 1 : 0) > m.serial + 6 ? m.serial + 1
	       : draw(4) == 0                                            ? m.serial - 1
	                                                                 : m.serial;
}

/* Dates around every limit. */
static uint64_t draw_date(void)
{
	static const int64_t offsets[] = {0, 1, -1, 299, 300, 301, -599, -600, -601, 86399, -86399,
	        -86400, -86401, 400 * 86400, -400 * 86400};

	if (draw(32) == 0) {
		return UINT64_MAX / 2 + draw(1000);
	}
	return time_now() + (uint64_t)offsets[draw(sizeof(offsets) / sizeof(offsets[0]))];
}

static void sample_of(enum envelope_kind kind, uint64_t serial)
{
	sample_init(&s, kind);
	s.root.serial = serial;
	s.root.expires = UINT64_MAX;
	for (unsigned int role = 0; role < _ROOT_ROLE_N; role++) {
		for (unsigned int i = 0; i < s.root.n_keys[role]; i++) {
			s.root.keys[role][i].not_before = 0;
			s.root.keys[role][i].not_after = UINT64_MAX;
		}
	}
	s.order.head.epoch = serial;
	s.statement.head.root_serial = serial;
}

static void boot(void)
{
	static const uint8_t machine_id[16] = "machine number 1";
	uint64_t serial = m.serial == 0 ? 100 : m.serial;
	uint64_t time = m.base == 0 ? SAMPLE_NOW : draw_date();

	did = "boot";
	time = time > UINT64_MAX / 4 ? SAMPLE_NOW : time;
	memset(&m, 0, sizeof(m));
	uptime = 0;
	m.serial = serial;
	m.base = time;
	m.nonce = 1 + draw(1000);
	m.floor_own = 5;
	m.newest = (struct number){serial, 3};
	sample_of(ENVELOPE_OF_VARIANT, serial);
	trust_init(&t, &(struct trust_start){.root = &s.root,
	                       .machine_id = machine_id,
	                       .boot_id = SAMPLE_BOOT,
	                       .time_nonce = m.nonce,
	                       .time = time});
	assert(trust_add_service(&t, "tty", 3, 5) == E_OK);
}

static void advance(void)
{
	static const uint64_t by[] = {1, 10, 299, 600, 86400, 400 * 86400};

	uptime = sum(uptime, draw(200) == 0 ? UINT64_MAX / 8 : by[draw(6)]);
}

static void statement(void)
{
	struct reasons r = {0};
	uint64_t serial = draw_serial(), date = draw_date();
	struct statement_service *tty;
	struct number told;

	did = "statement";
	sample_of(ENVELOPE_OF_STATEMENT, serial);
	tty = &s.statement.service[1];
	s.statement.head.issued = date;
	tty->floor = 4 + (uint32_t)draw(5);
	tty->epoch = serial - draw(2);
	tty->generation = draw_number();
	s.statement.service[0].epoch = serial;
	sample_sign(&s);
	reason_if(&r, serial < m.serial, E_V_ROOT);
	compare(trust_statement(&t, s.bytes, s.len, uptime), &r);
	if (r.n > 0) {
		return;
	}
	learn(serial, date);
	m.has_statement = true;
	m.floor_told =
	        m.floor_epoch == serial && m.floor_told > tty->floor ? m.floor_told : tty->floor;
	m.floor_epoch = serial;
	told = (struct number){tty->epoch, tty->generation};
	m.newest = is_later(told, m.newest) ? told : m.newest;
}

static void admit(void)
{
	struct reasons r = {0};
	uint64_t serial = draw_serial(), date = draw_date();
	struct trust_variant *v;
	struct kept *kept = &m.kept[m.n_kept % N_KEPT];
	bool is_kit = draw(3) == 0;

	did = is_kit ? "admit a kit" : "admit";
	sample_of(is_kit ? ENVELOPE_OF_KIT : ENVELOPE_OF_VARIANT, serial);
	s.kit.counter = 4 + (uint32_t)draw(6);
	s.kit.floor = 4 + (uint32_t)draw(s.kit.counter - 3);
	s.variant.issued = date;
	s.variant.expires = date + SAMPLE_DAY;
	sample_bind(&s);
	sample_sign(&s);
	reason_if(&r, serial < m.serial, E_V_ROOT);
	reason_if(&r, !is_kit && judged_at(date) >= date + SAMPLE_DAY, E_V_EXPIRED);
	compare(trust_admit(&t, s.bytes, s.len, uptime, &v), &r);
	if (r.n > 0) {
		return;
	}
	learn(serial, is_kit ? 0 : date); /* a release may be old */
	*kept = (struct kept){
	        .kit = s.kit, .variant = s.variant, .serial = serial, .is_kit = is_kit};
	m.n_kept++;
	for (uint32_t i = 0; is_kit && i < N_KEPT; i++) {
		if (m.kept[i].is_kit && memcmp(&m.kept[i].kit, &s.kit, sizeof(s.kit)) == 0) {
			m.kept[i].serial = serial; /* the same kit, shown again */
		}
	}
}

/* As RS goes: verify, ask whether it is new, ask about the component, accept. */
static void order(void)
{
	const struct kept *kept = &m.kept[draw(N_KEPT)];
	uint64_t serial = draw_serial(), date = draw_date();
	struct number number = {serial, draw_number()}, generation = {serial, draw_number()};
	const struct order_manifest *seen;
	struct trust_variant *v;
	struct reasons r = {0};
	err_t answer;
	bool is_wrong_epoch = draw(16) == 0;

	did = "order";
	if (m.n_kept < N_KEPT) {
		return;
	}
	sample_of(ENVELOPE_OF_ORDER, serial);
	s.kit = kept->kit;
	s.variant = kept->variant;
	sample_bind(&s);
	s.order.head.epoch = serial + is_wrong_epoch;
	s.order.head.transaction = number.number;
	s.order.head.issued = date;
	s.order.head.expires = date + ORDER_LIFE;
	s.order.component[0].generation = generation.number;
	if (kept->is_kit) {
		s.order.component[0].recipe = LINK_RECIPE;
		memset(s.order.component[0].variant_hash, 0, RS_HASH_LEN);
	}
	sample_sign(&s);
	reason_if(&r, serial < m.serial, E_V_ROOT);
	reason_if(&r, is_wrong_epoch, E_V_EPOCH);
	reason_if(&r, judged_at(date) >= date + ORDER_LIFE, E_V_EXPIRED);
	answer = trust_order(&t, s.bytes, s.len, uptime, &seen);
	compare(answer, &r);
	if (r.n > 0) {
		return;
	}
	learn(serial, date);
	did = "a new order";
	reason_if(&r, !m.has_statement, E_V_STATEMENT);
	reason_if(&r, m.has_statement && !is_later(number, m.order), E_NOTFOUND);
	compare(trust_order_is_new(&t, seen), &r);
	if (r.n > 0) {
		return;
	}
	did = "component";
	reason_if(&r, kept->serial != m.serial, E_V_ROOT);
	reason_if(&r, !kept->is_kit && time_now() >= kept->variant.expires, E_V_EXPIRED);
	reason_if(&r, kept->kit.counter < floor_now(), E_V_FLOOR);
	reason_if(&r, !is_later(generation, m.newest), E_V_REPLAY);
	compare(trust_component(&t, seen, order_components(seen), uptime, &v), &r);
	if (r.n > 0) {
		return;
	}
	trust_accept(&t, seen);
	m.order = number;
	if (draw(4) > 0) {
		trust_commit(&t, "tty", (struct trust_number){serial, generation.number},
		        (struct trust_number){serial, number.number}, kept->kit.floor);
		m.newest = generation;
		m.unconfirmed = number;
		m.floor_unconfirmed = kept->kit.floor;
	}
}

static void confirm(void)
{
	struct number number =
	        draw(2) == 0 ? m.unconfirmed : (struct number){m.serial, draw_number()};
	struct reasons r = {0};

	did = "confirm";
	if (number.number == 0) {
		return;
	}
	reason_if(&r, number.epoch != m.unconfirmed.epoch || number.number != m.unconfirmed.number,
	        E_NOTFOUND);
	compare(trust_confirm(&t, (struct trust_number){number.epoch, number.number}), &r);
	if (r.n == 0 && m.floor_unconfirmed > m.floor_own) {
		m.floor_own = m.floor_unconfirmed;
	}
}

static void set_time(void)
{
	uint64_t serial = draw_serial(), time = draw_date(), next = 1 + draw(1000);
	struct reasons r = {0};

	did = "time";
	sample_of(ENVELOPE_OF_TIME, serial);
	s.time.time = time;
	s.time.nonce = draw(4) == 0 ? m.nonce + 1 : m.nonce;
	sample_sign(&s);
	reason_if(&r, serial < m.serial, E_V_ROOT);
	reason_if(&r, s.time.nonce != m.nonce, E_V_NONCE);
	compare(trust_set_time(&t, s.bytes, s.len, uptime, next), &r);
	if (r.n == 0) {
		learn_root(serial);
		m.nonce = next;
		m.base = time > uptime ? time - uptime : 0;
		m.skew = 0;
	}
}

static void beliefs_compare(void)
{
	struct trust_number newest = trust_generation(&t, "tty");

	if (trust_time(&t, uptime) != time_now() || trust_floor(&t, "tty") != floor_now() ||
	        newest.epoch != m.newest.epoch || newest.number != m.newest.number ||
	        t.root_serial != m.serial || t.has_statement != m.has_statement ||
	        t.newest_order.epoch != m.order.epoch || t.newest_order.number != m.order.number) {
		(void)fprintf(stderr,
		        "after %s: time %lu, not %lu; floor %u, not %u; generation "
		        "%lu.%lu, not %lu.%lu; root %lu, not %lu; statement %d, not %d\n",
		        did, trust_time(&t, uptime), time_now(), trust_floor(&t, "tty"),
		        floor_now(), newest.epoch, newest.number, m.newest.epoch, m.newest.number,
		        t.root_serial, m.serial, t.has_statement, m.has_statement);
		failed();
	}
}

static void sequence(void)
{
	memset(&m, 0, sizeof(m));
	draws = 0;
	boot();
	for (unsigned int i = 0; i < N_STEPS; i++) {
		switch (draw(16)) {
		case 0:
			draw(4) == 0 ? boot() : advance();
			break;
		case 1:
			advance();
			break;
		case 2:
			statement();
			break;
		case 3:
		case 4:
		case 5:
		case 6:
		case 7:
			admit();
			break;
		case 8:
			confirm();
			break;
		case 9:
			set_time();
			break;
		default:
			order();
			break;
		}
		beliefs_compare();
	}
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
	const char *given = getenv("SAMSARA_SEED");
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0)
	                          : strtoull(given != NULL ? given : "1", NULL, 0) << 20;

	for (unsigned long i = 0; i < n; i++) {
		seed = first + i;
		sequence();
	}
	return 0;
}
