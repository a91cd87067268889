"""Forms of sign-in, password, profile, API tokens and users."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate, password_validation
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from console.accounts.models import ApiToken, Role, Theme, User

MAX_TOKEN_DAYS = 365


class SignInForm(AuthenticationForm):
    """Name and password. One message for every failure: nothing to learn from trying."""

    error_messages = {
        "invalid_login": _("The user name or the password is not right. Both are case-sensitive."),
        "inactive": _("The user name or the password is not right. Both are case-sensitive."),
    }


class ConfirmPasswordForm(forms.Form):
    """The password once more. Counts towards the lockout like a sign-in."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_password(self) -> str:
        """The password. Invalid unless it is the signed-in user's."""
        given: str = self.cleaned_data["password"]
        check_own_password(self.request, given)
        return given


class PasswordForm(forms.Form):
    """A new password in place of the old one."""

    old_password = forms.CharField(
        label=_("Current password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new_password1 = forms.CharField(
        label=_("New password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters. A sentence that only you know is good."),
    )
    new_password2 = forms.CharField(
        label=_("New password again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.user = user

    def clean_old_password(self) -> str:
        """The current password. Invalid when it is not."""
        given: str = self.cleaned_data["old_password"]
        check_own_password(self.request, given)
        return given

    def clean_new_password1(self) -> str:
        """The new password. Invalid when it is weak."""
        given: str = self.cleaned_data["new_password1"]
        password_validation.validate_password(given, self.user)
        return given

    def clean(self) -> dict[str, Any]:
        """Both new ones are the same, and another than the old one."""
        data = super().clean() or {}
        old, new = data.get("old_password"), data.get("new_password1")
        if new and data.get("new_password2") and new != data["new_password2"]:
            self.add_error("new_password2", _("The two new passwords differ."))
        if new and new == old:
            self.add_error("new_password1", _("This is the current password. Choose another one."))
        return data


def check_own_password(request: HttpRequest, password: str) -> None:
    """Raise ValidationError unless it is the signed-in user's; failures lock out."""
    name = request.user.get_username()
    if authenticate(request, username=name, password=password) != request.user:
        raise forms.ValidationError(_("This is not your current password."))


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a person may set for themselves."""

    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=[("", _("As the browser asks")), *settings.LANGUAGES],
    )
    theme = forms.ChoiceField(label=_("Theme"), required=False, choices=Theme.choices)

    class Meta:
        model = User
        fields = ("first_name", "last_name", "email", "language", "theme")


class TokenForm(forms.Form):
    """A new API token."""

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("What it is for, such as “deploy pipeline”."),
    )
    days = forms.IntegerField(
        label=_("Valid for days"),
        min_value=1,
        max_value=MAX_TOKEN_DAYS,
        initial=90,
        help_text=_("At most 365. A short life limits the harm of a lost token."),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_name(self) -> str:
        """The name. Invalid when a valid token of the user has it already."""
        name: str = self.cleaned_data["name"]
        same = ApiToken.objects.filter(user=self.user, name=name, revoked=None)
        if any(token.is_valid for token in same):
            raise forms.ValidationError(
                _("You have a valid token of this name. Revoke it first or choose another name.")
            )
        return name


class UserForm(forms.ModelForm):  # type: ignore[type-arg]
    """A user as an admin adds them."""

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email", "role")

    def clean_username(self) -> str:
        """The name. Invalid when another one differs only in upper and lower case."""
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("There is a user of this name already."))
        return name


class UserEditForm(forms.ModelForm):  # type: ignore[type-arg]
    """A user as an admin changes them. The name stays: the audit record knows it."""

    is_active = forms.BooleanField(
        label=_("Active"),
        required=False,
        help_text=_("Who is not active cannot sign in; open sessions and tokens end at once."),
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "email", "role", "is_active")

    def __init__(self, *args: Any, actor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor

    def clean(self) -> dict[str, Any]:
        """Refuses to take the admin role from oneself or from the last admin."""
        data = super().clean() or {}
        stays_admin = data.get("role") == Role.ADMIN and data.get("is_active")
        before = User.objects.get(pk=self.instance.pk)
        if stays_admin or before.role != Role.ADMIN or not before.is_active:
            return data
        field = "role" if data.get("role") != Role.ADMIN else "is_active"
        others = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=before.pk)
        if not others.exists():
            self.add_error(field, _("This is the last active admin. Make somebody else one first."))
        elif before.pk == self.actor.pk:
            self.add_error(field, _("You cannot take your own admin role. Ask another admin."))
        return data
