from django.contrib import admin

from .models import Reader


@admin.register(Reader)
class ReaderAdmin(admin.ModelAdmin):
    list_display = ("address", "confirmed", "since")
    list_filter = ("confirmed",)
    search_fields = ("address",)
