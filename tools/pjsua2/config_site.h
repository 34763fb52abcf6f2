/* What the harness wants of pjproject, beyond its defaults; copied to pjlib/include/pj/config_site.h by build.sh. */

/* Platforms and carriers on IPv6; a phone bound to an IPv6 address is refused in one line by a build without. */
#define PJ_HAS_IPV6 1

/* One process for the phones of a large case: a CAPACITY row with 30 calls needs one child instead of eight. */
#define PJSUA_MAX_CALLS 32
#define PJSUA_MAX_ACC 64
#define PJSUA_MAX_PLAYERS 128
#define PJSUA_MAX_RECORDERS 128
#define PJSUA_MAX_CONF_PORTS 512
#define PJ_IOQUEUE_MAX_HANDLES 1024

/* An INVITE with a long history of Via, Record-Route and X- headers, or an offer of many codecs, is longer than 4,000 octets. */
#define PJSIP_MAX_PKT_LEN 16000
#define PJ_LOG_MAX_SIZE 20000

/* The harness measures what a far end does; a microphone is never opened. */
#define PJMEDIA_AUDIO_DEV_HAS_NULL_AUDIO 1
