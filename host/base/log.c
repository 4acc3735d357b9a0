/*
 * One call, one line. Words of machines and services come along in messages, so every line is
 * escaped as a whole: none can look like another line, or move a cursor. Where stderr is the
 * journal, it gets priorities instead of time stamps, and fields; an entry that it does not take is
 * a line on stderr all the same.
 *
 * A journal that stands still takes what it has room for. What comes then is lost, and counted: sd_journal_sendv(3) would wait,
 * and so would a line on stderr, while machines are to be looked after. That is why the entry is sent here; its form is the
 * journal's native protocol.
 */
#include "host/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "host/text/escape.h"

static const struct {
	const char *name;
	int journal_priority;
} log_levels[_LOG_LEVEL_N] = {
        [LOG_LEVEL_ERROR] = {"error", 3},
        [LOG_LEVEL_WARN] = {"warn", 4},
        [LOG_LEVEL_INFO] = {"info", 6},
        [LOG_LEVEL_DEBUG] = {"debug", 7},
};

static const char *const log_ids[_LOG_MESSAGE_N] = {
#define MESSAGE(NAME, id, ...) [LOG_##NAME] = id,
#include "host/base/messages.def"
#undef MESSAGE
};

#define LOG_JOURNAL "/run/systemd/journal/socket"
#define LOG_JOURNAL_BUFFER (8 << 20)

/* Of an entry: message, priority, who it is of, and what a line may be about. */
#define LOG_FIELDS 8
#define LOG_FIELD_SIZE 1280

struct log_entry {
	char text[LOG_FIELDS][LOG_FIELD_SIZE];
	struct iovec field[LOG_FIELDS];
	int n;
};

static enum log_level log_limit = LOG_LEVEL_INFO;
static bool log_to_journal;
static int log_journal_fd = -1;
static unsigned long long log_n_lost; /* lines, since the journal took one last */

/* JOURNAL_STREAM is inherited by children whose stderr is something else: it names the file that is the journal. */
static bool log_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

void log_init(enum log_level level)
{
	log_limit = level;
	log_to_journal = log_is_journal();
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
	for (int i = 0; i < _LOG_LEVEL_N; i++) {
		if (!strcmp(name, log_levels[i].name)) {
			*ret_level = i;
			return 0;
		}
	}
	return err_raise(-EINVAL);
}

static void log_stamp(char *ret_text, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(ret_text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text + n, size - n, ".%03ldZ", now.tv_nsec / 1000000);
}

static void log_field(struct log_entry *entry, const char *name, const char *value)
{
	char *text = entry->text[entry->n];

	if (!value || !*value) {
		return;
	}
	snprintf(text, LOG_FIELD_SIZE, "%s=%s\n", name, value);
	entry->field[entry->n++] = (struct iovec){text, strlen(text)};
}

/* Words of machines are escaped in fields as they are in the line. */
static void log_field_escaped(struct log_entry *entry, const char *name, const char *value)
{
	char text[LOG_FIELD_SIZE / 2];

	if (value) {
		text_escape(text, sizeof(text), value);
		log_field(entry, name, text);
	}
}

static void log_number(struct log_entry *entry, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	log_field(entry, name, text);
}

/* 0, or -errno. Values have no line ends, so a field is a line. */
static int log_journal_send(struct log_entry *entry)
{
	static struct sockaddr_un journal = {.sun_family = AF_UNIX, .sun_path = LOG_JOURNAL};
	static const int size = LOG_JOURNAL_BUFFER;
	const struct msghdr message = {.msg_name = &journal,
	        .msg_namelen = sizeof(journal),
	        .msg_iov = entry->field,
	        .msg_iovlen = (size_t)entry->n};

	if (log_journal_fd < 0) {
		log_journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)setsockopt(log_journal_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	return sendmsg(log_journal_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int log_journal(enum log_level level, const struct log_about *about, const char *line)
{
	struct log_entry entry = {.n = 0};

	log_field(&entry, "MESSAGE", line);
	log_number(&entry, "PRIORITY", log_levels[level].journal_priority);
	log_field(&entry, "SYSLOG_IDENTIFIER", program_invocation_short_name);
	if (about) {
		log_field(&entry, "MESSAGE_ID", log_ids[about->message]);
		log_field_escaped(&entry, "SAMSARA_MACHINE", about->machine);
		log_field_escaped(&entry, "SAMSARA_SERVICE", about->service);
		log_field_escaped(&entry, "SAMSARA_POLICY", about->policy);
		if (about->job) {
			log_number(&entry, "SAMSARA_JOB", about->job);
		}
	}
	return log_journal_send(&entry);
}

/* How many were lost comes before the next line. False: the line belongs on stderr. */
static bool log_journal_line(enum log_level level, const struct log_about *about, const char *line)
{
	char lost[80];
	int r = 0;

	if (log_n_lost) {
		snprintf(lost, sizeof(lost), "%llu lines were lost: the journal stood still",
		        log_n_lost);
		r = log_journal(LOG_LEVEL_WARN, NULL, lost);
		log_n_lost = r ? log_n_lost : 0;
	}
	r = r ? r : log_journal(level, about, line);
	log_n_lost += r == -EAGAIN;
	return !r || r == -EAGAIN;
}

void log_line(enum log_level level, const struct log_about *about, const char *format, ...)
{
	char text[1024];
	char line[1200];
	char stamp[40];
	va_list args;

	if (level > log_limit) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Words of machines come along: one call is one line, and moves no cursor. */
	text_escape(line, sizeof(line), text);
	if (log_to_journal && log_journal_line(level, about, line)) {
		return;
	}
	log_stamp(stamp, sizeof(stamp));
	fprintf(stderr, "%s lud %s: %s\n", stamp, log_levels[level].name, line);
}
