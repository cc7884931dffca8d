"""Two pages: one needs the schema, the other needs nothing."""

from django.urls import path

from storefront import views

urlpatterns = [
    path("", views.index),
    path("ping", views.ping),
]
