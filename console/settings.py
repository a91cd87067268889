"""Every setting of the console, read from the environment with a default that is safe.

docs/configuration.md lists them; `manage.py check --deploy` finds what is wrong.
"""

from __future__ import annotations

from pathlib import Path

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

from console import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent

# Where everything lies that must outlive an upgrade: database, key ring, releases.
DATA_DIR = env.path("FLOTILLA_DATA", BASE_DIR / "var")
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

DEBUG = env.flag("FLOTILLA_DEBUG", False)
SECRET_KEY_FILE = env.path("FLOTILLA_SECRET_KEY_FILE", DATA_DIR / "secret-key")
KEY_RING_FILE = env.path("FLOTILLA_KEY_RING_FILE", DATA_DIR / "key-ring")
SECRET_KEY = env.text("FLOTILLA_SECRET_KEY") or env.secret_from_file(SECRET_KEY_FILE)
ALLOWED_HOSTS = env.words("FLOTILLA_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("FLOTILLA_TRUSTED_ORIGINS")
# Whether browsers reach the console over TLS (a proxy in front, or daphne's own).
HTTPS = env.flag("FLOTILLA_HTTPS", False)

INSTALLED_APPS = [
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "django_htmx",
    "csp",
    "axes",
    "guardian",
    "console.accounts",
    "console.audit",
    "console.secrets",
    "console.live",
    "console.notices",
    "console.ui",
    "clusters",
    "provisioning",
    "tenancy",
    "lab",
]

MIDDLEWARE = [
    "console.audit.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "console.ui.middleware.NulMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "console.accounts.middleware.SessionAgeMiddleware",
    "console.accounts.middleware.PermissionMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.ui.context.shell",
                "console.notices.context.bell",
            ],
        },
    }
]

# SQLite by default. IMMEDIATE: a transaction takes the write lock when it starts, so
# that it waits (busy timeout) instead of failing half-way with "database is locked".
DATABASES = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'flotilla.sqlite3'}",
        conn_max_age=60,
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
        ),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
# Nobody is somebody here: what one may do without signing in is said by each page.
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTH_PASSWORD_VALIDATORS[1]["OPTIONS"] = {"min_length": 12}  # type: ignore[assignment]
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "accounts:sign-in"

# A session ends after this many idle seconds, and in any case after the second figure.
SESSION_COOKIE_AGE = env.number("FLOTILLA_SESSION_IDLE_SECONDS", 8 * 3600, least=60)
SESSION_MAX_SECONDS = env.number("FLOTILLA_SESSION_MAX_SECONDS", 7 * 24 * 3600, least=60)
SESSION_SAVE_EVERY_REQUEST = False  # SessionAgeMiddleware renews it once a minute instead
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "console.ui.errors.csrf_failure"
# Dangerous pages ask for the password again after this many seconds.
CONFIRM_PASSWORD_SECONDS = env.number("FLOTILLA_CONFIRM_PASSWORD_SECONDS", 1800, least=60)

AXES_FAILURE_LIMIT = env.number("FLOTILLA_SIGN_IN_FAILURES", 5, least=1)
AXES_COOLOFF_TIME = env.minutes("FLOTILLA_SIGN_IN_LOCKOUT_MINUTES", 15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "console.accounts.lockout.counted_name"
AXES_LOCKOUT_CALLABLE = "console.accounts.views.locked_out"
AXES_VERBOSE = False
# The time of a lockout that the page shows stays true while somebody goes on trying.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# Axes keeps what was posted with a failure: never these fields.
AXES_SENSITIVE_PARAMETERS = ["username", "old_password", "new_password1", "new_password2"]
AXES_DISABLE_ACCESS_LOG = True  # sign-ins are audit events

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", _("简体中文"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.text("TZ") or "UTC"

STATIC_URL = "static/"
STATIC_ROOT = env.path("FLOTILLA_STATIC_ROOT", BASE_DIR / "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "console.ui.storage.HashedStorage"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "console.accounts.authentication.ApiTokenAuthentication",
        "console.accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["console.accounts.permissions.Declared"],
    "DEFAULT_PAGINATION_CLASS": "console.ui.api.CursorPage",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "console.ui.parsers.JsonParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "EXCEPTION_HANDLER": "console.ui.api.problem_details",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Flotilla",
    "DESCRIPTION": "Fleets of Kubernetes clusters: hosts, clusters, tasks and their live logs.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "LevelEnum": ("bad", "warn", "info"),
        "ChannelTypeEnum": "console.notices.models_channels.ChannelType",
    },
}

# Tasks: seconds a worker may be silent before another takes its task over, hosts that
# one task works on at a time, uploads at a time, and tasks that one worker runs at a time.
TASK_LEASE_SECONDS = env.number("FLOTILLA_TASK_LEASE_SECONDS", 15, least=2)
TASK_PARALLEL_HOSTS = env.number("FLOTILLA_PARALLEL_HOSTS", 30, least=1)
TASK_PARALLEL_UPLOADS = env.number("FLOTILLA_PARALLEL_UPLOADS", 5, least=1)
WORKER_TASKS = env.number("FLOTILLA_WORKER_TASKS", 4, least=1)
SSH_CONNECT_SECONDS = env.number("FLOTILLA_SSH_CONNECT_SECONDS", 10, least=1)

# Where people may send the console to: API servers of imported clusters, webhooks.
PRIVATE_CLUSTERS = env.flag("FLOTILLA_PRIVATE_CLUSTERS", True)
OUTBOUND_ALLOWED = env.networks("FLOTILLA_OUTBOUND_ALLOWED")
# The console's own account and cluster, when it runs in a pod.
SYSTEM_CLUSTER = env.flag("FLOTILLA_SYSTEM_CLUSTER", True)
SYSTEM_ACCOUNT_DIR = env.path(
    "FLOTILLA_SYSTEM_ACCOUNT_DIR", Path("/var/run/secrets/kubernetes.io/serviceaccount")
)
# Namespaces of any cluster in which only admins change something, beside Kubernetes' own.
GUARDED_NAMESPACES = env.names("FLOTILLA_GUARDED_NAMESPACES")
KUBERNETES_SERVICE_HOST = env.text("KUBERNETES_SERVICE_HOST")
KUBERNETES_SERVICE_PORT = env.text("KUBERNETES_SERVICE_PORT", "443")
# Objects of one kind in one cluster that the console keeps rows of.
MAX_OBJECTS = env.number("FLOTILLA_MAX_OBJECTS", 200_000, least=1000)
# Logs and terminals of pods: containers that one web process follows at a time, and of these
# for one person; terminals in one process and of one person; seconds without typing, and in
# all, after which one is closed.
LOG_STREAMS = env.number("FLOTILLA_LOG_STREAMS", 64, least=1)
LOG_STREAMS_PER_USER = env.number("FLOTILLA_LOG_STREAMS_PER_USER", 40, least=1)
TERMINALS = env.number("FLOTILLA_TERMINALS", 64, least=1)
TERMINALS_PER_USER = env.number("FLOTILLA_TERMINALS_PER_USER", 8, least=1)
TERMINAL_IDLE_SECONDS = env.number("FLOTILLA_TERMINAL_IDLE_SECONDS", 15 * 60, least=5)
TERMINAL_MAX_SECONDS = env.number("FLOTILLA_TERMINAL_MAX_SECONDS", 8 * 3600, least=60)

RELEASES_DIR = env.path("FLOTILLA_RELEASES", DATA_DIR / "releases")
# Official downloads, or mirrors with the same layouts.
RELEASE_MIRROR = env.text("FLOTILLA_RELEASE_MIRROR", "https://dl.k8s.io/release")
RELEASE_ETCD_MIRROR = env.text(
    "FLOTILLA_RELEASE_ETCD_MIRROR", "https://github.com/etcd-io/etcd/releases/download"
)
RELEASE_CNI_MIRROR = env.text(
    "FLOTILLA_RELEASE_CNI_MIRROR",
    "https://github.com/containernetworking/plugins/releases/download",
)
RELEASE_CNI_VERSION = env.text("FLOTILLA_RELEASE_CNI_VERSION", "v1.5.1")
# Images that hosts pull for official releases; empty: what the version's kubeadm uses.
RELEASE_PAUSE_IMAGE = env.text("FLOTILLA_RELEASE_PAUSE_IMAGE")
RELEASE_VERIFY_IMAGE = env.text(
    "FLOTILLA_RELEASE_VERIFY_IMAGE", "registry.k8s.io/e2e-test-images/busybox:1.36.1-1"
)
# The pods that prove tenants' isolation, and for how many days a proof counts.
PROBE_IMAGE = env.text("FLOTILLA_PROBE_IMAGE", RELEASE_VERIFY_IMAGE)
PROOF_DAYS = env.number("FLOTILLA_PROOF_DAYS", 30, least=1)
RELEASE_UPLOAD_MIB = env.number("FLOTILLA_RELEASE_UPLOAD_MIB", 2048, least=1)

# What the console tells people. The address under which they reach it, for links in messages.
PUBLIC_URL = env.text("FLOTILLA_PUBLIC_URL").rstrip("/")
EMAIL_HOST = env.text("FLOTILLA_EMAIL_HOST")
EMAIL_PORT = env.number("FLOTILLA_EMAIL_PORT", 587, least=1)
EMAIL_SECURITY = env.choice("FLOTILLA_EMAIL_SECURITY", "starttls", ("starttls", "tls", "none"))
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL_SECURITY == "starttls", EMAIL_SECURITY == "tls"
EMAIL_HOST_USER = env.text("FLOTILLA_EMAIL_USER")
EMAIL_HOST_PASSWORD = env.text_of_file("FLOTILLA_EMAIL_PASSWORD_FILE")
DEFAULT_FROM_EMAIL = env.text("FLOTILLA_EMAIL_FROM", "flotilla@localhost")
EMAIL_TIMEOUT = 10

# Where signed checkpoints of the audit record go, besides the database.
AUDIT_CHECKPOINT_FILE = env.text("FLOTILLA_AUDIT_CHECKPOINT_FILE")
AUDIT_CHECKPOINT_SYSLOG = env.text("FLOTILLA_AUDIT_CHECKPOINT_SYSLOG")
# Where streams of events that go to files write them.
AUDIT_STREAM_DIR = env.path("FLOTILLA_AUDIT_STREAM_DIR", DATA_DIR / "audit-streams")
# How long and how many events stay in the table, 0: all; older ones go to archives in this folder.
AUDIT_KEEP_DAYS = env.number("FLOTILLA_AUDIT_KEEP_DAYS", 0)
AUDIT_KEEP_EVENTS = env.number("FLOTILLA_AUDIT_KEEP_EVENTS", 0)
AUDIT_ARCHIVE_DIR = env.path("FLOTILLA_AUDIT_ARCHIVE_DIR", DATA_DIR / "audit-archives")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "console.audit.logs.formatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("FLOTILLA_LOG_LEVEL", "INFO")},
    "loggers": {
        "paramiko": {"level": "ERROR"},
        "daphne.http_protocol": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
    },
}
