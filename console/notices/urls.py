"""Addresses of the feed, the expiry radar, channels and rules."""

from __future__ import annotations

from django.urls import path

from console.notices import views, views_channels, views_rules

app_name = "notices"

CHANNELS, RULES = "settings/notice-channels/", "settings/notice-rules/"
urlpatterns = [
    path("notices/", views.feed, name="feed"),
    path("notices/read/", views.read, name="read"),
    path("expiry/", views.expiring, name="expiry"),
    path(CHANNELS, views_channels.channels, name="channels"),
    path(f"{CHANNELS}add/<slug:kind>/", views_channels.channel_add, name="channel-add"),
    path(f"{CHANNELS}<int:pk>/", views_channels.channel, name="channel"),
    path(f"{CHANNELS}<int:pk>/edit/", views_channels.channel_edit, name="channel-edit"),
    path(f"{CHANNELS}<int:pk>/remove/", views_channels.channel_remove, name="channel-remove"),
    path(f"{CHANNELS}<int:pk>/secret/", views_channels.channel_secret, name="channel-secret"),
    path(f"{CHANNELS}<int:pk>/test/", views_channels.channel_test, name="channel-test"),
    path(f"{CHANNELS}<int:pk>/rules/add/", views_rules.rule_add, name="rule-add"),
    path(f"{RULES}<int:pk>/", views_rules.rule_edit, name="rule-edit"),
    path(f"{RULES}<int:pk>/remove/", views_rules.rule_remove, name="rule-remove"),
    path(
        "settings/notice-deliveries/<int:pk>/retry/",
        views_channels.delivery_retry,
        name="delivery-retry",
    ),
]
